//! One call as a test writes it, and where its pointers lead.

use std::fmt;

/// Bytes of the guest's memory.
pub(crate) const MEMORY: usize = 64 * 1024;
/// An array of buffers: {DATA, 3}, {empty}, {DATA + 8, 5}, and one that is bad.
pub(crate) const IOVS: u32 = 0;
/// What is written, and where it is read to.
pub(crate) const DATA: u32 = 1024;
/// The first path of a call.
pub(crate) const PATH: u32 = 2048;
/// The second one.
pub(crate) const OTHER: u32 = 8192;
/// Where numbers are returned.
pub(crate) const OUT: u32 = 16_384;
/// Where a structure is returned.
pub(crate) const STAT: u32 = 16_448;
/// Where lists and names are returned.
pub(crate) const LIST: u32 = 20_480;
/// Bytes of it.
pub(crate) const LIST_LEN: u32 = 8_192;

/// Arguments, zeros behind those that the import has.
pub(crate) type Args = [u64; 9];

/// A call: the import, its arguments, and the paths that they point to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) args: Args,
    pub(crate) path: Vec<u8>,
    pub(crate) other: Vec<u8>,
}

impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{:?}", self.name, self.args)?;
        for path in [&self.path, &self.other] {
            if !path.is_empty() {
                let beginning = &path[..path.len().min(40)];
                write!(formatter, " {:?}", String::from_utf8_lossy(beginning))?;
            }
        }
        Ok(())
    }
}

impl Call {
    pub(crate) fn new(name: &'static str, args: &[u64]) -> Self {
        let mut all = Args::default();
        all[..args.len()].copy_from_slice(args);
        Self {
            name,
            args: all,
            path: Vec::new(),
            other: Vec::new(),
        }
    }

    pub(crate) fn with(self, path: impl Into<Vec<u8>>, other: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            other: other.into(),
            ..self
        }
    }

    /// Puts what the arguments point to into a memory.
    pub(crate) fn prepare(&self, memory: &mut [u8]) {
        let mut put = |at: u32, bytes: &[u8]| {
            memory[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        };
        put(PATH, &self.path);
        put(OTHER, &self.other);
    }
}

/// A fresh memory.
pub(crate) fn memory() -> Vec<u8> {
    let mut memory = vec![0; MEMORY];
    let iovs = [(DATA, 3), (DATA, 0), (DATA + 8, 5), (MEMORY as u32 - 2, 4)];
    for (index, (address, len)) in iovs.into_iter().enumerate() {
        memory[index * 8..][..4].copy_from_slice(&address.to_le_bytes());
        memory[index * 8 + 4..][..4].copy_from_slice(&u32::to_le_bytes(len));
    }
    for (index, byte) in memory[DATA as usize..][..256].iter_mut().enumerate() {
        *byte = b'a' + (index % 26) as u8;
    }
    memory
}

fn path_len(path: &str) -> u64 {
    path.len() as u64
}

/// Calls as a test writes them, with the pointers filled in.
pub(crate) mod make {
    use super::*;

    pub(crate) fn open(
        fd: u64,
        follow: u64,
        path: &str,
        oflags: u64,
        base: u64,
        flags: u64,
    ) -> Call {
        let (at, len) = (PATH.into(), path_len(path));
        let args = [fd, follow, at, len, oflags, base, 0, flags, OUT.into()];
        Call::new("path_open", &args).with(path, "")
    }

    pub(crate) fn on_path(name: &'static str, fd: u64, path: &str) -> Call {
        Call::new(name, &[fd, PATH.into(), path_len(path)]).with(path, "")
    }

    pub(crate) fn stat(fd: u64, follow: u64, path: &str) -> Call {
        let args = [fd, follow, PATH.into(), path_len(path), STAT.into()];
        Call::new("path_filestat_get", &args).with(path, "")
    }

    pub(crate) fn set_times(
        fd: u64,
        follow: u64,
        path: &str,
        at: u64,
        mt: u64,
        flags: u64,
    ) -> Call {
        let args = [fd, follow, PATH.into(), path_len(path), at, mt, flags];
        Call::new("path_filestat_set_times", &args).with(path, "")
    }

    pub(crate) fn link(from: u64, flags: u64, path: &str, to: u64, other: &str) -> Call {
        let (old, new) = (path_len(path), path_len(other));
        let args = [from, flags, PATH.into(), old, to, OTHER.into(), new];
        Call::new("path_link", &args).with(path, other)
    }

    pub(crate) fn rename(from: u64, path: &str, to: u64, other: &str) -> Call {
        let (old, new) = (path_len(path), path_len(other));
        let args = [from, PATH.into(), old, to, OTHER.into(), new];
        Call::new("path_rename", &args).with(path, other)
    }

    pub(crate) fn symlink(target: &str, fd: u64, path: &str) -> Call {
        let (old, new) = (path_len(target), path_len(path));
        let args = [PATH.into(), old, fd, OTHER.into(), new];
        Call::new("path_symlink", &args).with(target, path)
    }

    pub(crate) fn readlink(fd: u64, path: &str, len: u64) -> Call {
        let args = [
            fd,
            PATH.into(),
            path_len(path),
            LIST.into(),
            len,
            OUT.into(),
        ];
        Call::new("path_readlink", &args).with(path, "")
    }

    pub(crate) fn readdir(fd: u64) -> Call {
        let args = [fd, LIST.into(), LIST_LEN.into(), 0, OUT.into()];
        Call::new("fd_readdir", &args)
    }

    /// Reads or writes; `offset` for the calls that have one.
    pub(crate) fn io(name: &'static str, fd: u64, iovs: u64, offset: Option<u64>) -> Call {
        let head = [fd, IOVS.into(), iovs];
        let args: Vec<_> = head.into_iter().chain(offset).chain([OUT.into()]).collect();
        Call::new(name, &args)
    }

    pub(crate) fn seek(fd: u64, offset: i64, whence: u64) -> Call {
        let args = [fd, offset.cast_unsigned(), whence, OUT.into()];
        Call::new("fd_seek", &args)
    }
}
