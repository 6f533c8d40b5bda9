//! The numbers of WASI preview 1, as its witx definition gives them.

/// The result of a call, as the guest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Errno {
    /// No error occurred.
    Success = 0,
    /// Argument list too long.
    TooBig = 1,
    /// Permission denied.
    Acces = 2,
    /// Resource unavailable, or the operation would block.
    Again = 6,
    /// Bad file descriptor.
    Badf = 8,
    /// Device or resource busy.
    Busy = 10,
    /// File exists.
    Exist = 20,
    /// Bad address.
    Fault = 21,
    /// File too large.
    Fbig = 22,
    /// Illegal byte sequence.
    Ilseq = 25,
    /// Interrupted function.
    Intr = 27,
    /// Invalid argument.
    Inval = 28,
    /// I/O error.
    Io = 29,
    /// Is a directory.
    Isdir = 31,
    /// Too many levels of symbolic links.
    Loop = 32,
    /// File descriptor value too large: the table is full.
    Mfile = 33,
    /// Too many links.
    Mlink = 34,
    /// Filename too long.
    Nametoolong = 37,
    /// No such file or directory.
    Noent = 44,
    /// Not enough space in memory.
    Nomem = 48,
    /// No space left on device.
    Nospc = 51,
    /// Function not supported.
    Nosys = 52,
    /// Not a directory or a symbolic link to a directory.
    Notdir = 54,
    /// Directory not empty.
    Notempty = 55,
    /// Not a socket.
    Notsock = 57,
    /// Not supported, or operation not supported on socket.
    Notsup = 58,
    /// Value too large to be stored in data type.
    Overflow = 61,
    /// Operation not permitted.
    Perm = 63,
    /// Result too large.
    Range = 68,
    /// Invalid seek.
    Spipe = 70,
    /// Cross-device link.
    Xdev = 75,
    /// Extension: capabilities insufficient.
    Notcapable = 76,
}

impl Errno {
    /// The number as a wasm function returns it.
    #[must_use]
    pub fn as_i32(self) -> i32 {
        i32::from(self as u16)
    }
}

/// The kind of thing that a descriptor or a directory entry refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Filetype {
    /// Unknown, or none of the others: the standard streams are pipes.
    Unknown = 0,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A symbolic link.
    SymbolicLink = 7,
}

/// The clocks that a guest can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockId {
    /// Wall clock, nanoseconds since 1970.
    Realtime,
    /// A clock that only goes forward.
    Monotonic,
    /// CPU time of the process: named in the definition, offered by no host.
    ProcessCputime,
    /// CPU time of the thread: as above.
    ThreadCputime,
}

impl ClockId {
    /// The clock with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Realtime,
            1 => Self::Monotonic,
            2 => Self::ProcessCputime,
            3 => Self::ThreadCputime,
            _ => return None,
        })
    }
}

/// What a seek is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// The start of the file.
    Set,
    /// The current offset.
    Cur,
    /// The end of the file.
    End,
}

impl Whence {
    /// The base with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Set,
            1 => Self::Cur,
            2 => Self::End,
            _ => return None,
        })
    }
}

/// The events that a guest can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EventType {
    /// A clock reached a time.
    Clock = 0,
    /// A descriptor has data for reading.
    FdRead = 1,
    /// A descriptor takes data.
    FdWrite = 2,
}

impl EventType {
    /// The event with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Clock,
            1 => Self::FdRead,
            2 => Self::FdWrite,
            _ => return None,
        })
    }
}

/// The output streams of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1 at the start.
    Stdout,
    /// Descriptor 2 at the start.
    Stderr,
}

/// Rights of a descriptor: what it may be used for.
pub mod rights {
    #![allow(missing_docs, reason = "the names are those of the definition")]
    pub const FD_DATASYNC: u64 = 1 << 0;
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_SYNC: u64 = 1 << 4;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub const PATH_LINK_TARGET: u64 = 1 << 12;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_READLINK: u64 = 1 << 15;
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const PATH_SYMLINK: u64 = 1 << 24;
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub const POLL_FD_READWRITE: u64 = 1 << 27;
    pub const SOCK_SHUTDOWN: u64 = 1 << 28;
    pub const SOCK_ACCEPT: u64 = 1 << 29;
    pub const ALL: u64 = (1 << 30) - 1;
}

/// Flags of a descriptor.
pub mod fdflags {
    #![allow(missing_docs, reason = "the names are those of the definition")]
    pub const APPEND: u16 = 1 << 0;
    pub const DSYNC: u16 = 1 << 1;
    pub const NONBLOCK: u16 = 1 << 2;
    pub const RSYNC: u16 = 1 << 3;
    pub const SYNC: u16 = 1 << 4;
    pub const ALL: u16 = (1 << 5) - 1;
}

/// Flags of `path_open`.
pub mod oflags {
    #![allow(missing_docs, reason = "the names are those of the definition")]
    pub const CREAT: u16 = 1 << 0;
    pub const DIRECTORY: u16 = 1 << 1;
    pub const EXCL: u16 = 1 << 2;
    pub const TRUNC: u16 = 1 << 3;
    pub const ALL: u16 = (1 << 4) - 1;
}

/// Flags that say which times to set.
pub mod fstflags {
    #![allow(missing_docs, reason = "the names are those of the definition")]
    pub const ATIM: u16 = 1 << 0;
    pub const ATIM_NOW: u16 = 1 << 1;
    pub const MTIM: u16 = 1 << 2;
    pub const MTIM_NOW: u16 = 1 << 3;
    pub const ALL: u16 = (1 << 4) - 1;
}

/// The one flag of path lookups: follow a symbolic link at the end.
pub const LOOKUP_SYMLINK_FOLLOW: u32 = 1;
/// The one flag of clock subscriptions: the timeout is a point in time.
pub const SUBSCRIPTION_CLOCK_ABSTIME: u16 = 1;
/// The one flag of read and write events: there is nothing more.
pub const FD_READWRITE_HANGUP: u16 = 1;
/// How many advices, signals and so on there are: numbers above are invalid.
pub(crate) mod count {
    pub(crate) const ADVICE: u32 = 6;
    pub(crate) const SIGNAL: u32 = 31;
    pub(crate) const SDFLAGS: u32 = 4;
    pub(crate) const RIFLAGS: u32 = 4;
}
