//! Attributes of descriptors: flags, rights, sizes, times, and the preopen.

use super::super::fds::Descriptor;
use super::super::fs::Stat;
use super::super::halt::{Halt, Step, answer};
use super::super::memory::{GuestMemory, write_aligned};
use super::super::types::{Errno, Filetype, fdflags, fstflags, rights};
use super::super::world::World;
use super::{Host, flags};

/// The name of the one directory that the guest starts with.
const PREOPEN: &[u8] = b"/";

/// What a preopened directory says that it may be used for. Libraries expect
/// about this.
const PREOPEN_BASE: u64 = rights::PATH_CREATE_DIRECTORY
    | rights::PATH_CREATE_FILE
    | rights::PATH_LINK_SOURCE
    | rights::PATH_LINK_TARGET
    | rights::PATH_OPEN
    | rights::FD_READDIR
    | rights::PATH_READLINK
    | rights::PATH_RENAME_SOURCE
    | rights::PATH_RENAME_TARGET
    | rights::PATH_SYMLINK
    | rights::PATH_REMOVE_DIRECTORY
    | rights::PATH_UNLINK_FILE
    | rights::PATH_FILESTAT_GET
    | rights::PATH_FILESTAT_SET_TIMES
    | rights::FD_FILESTAT_GET
    | rights::FD_FILESTAT_SET_TIMES;

/// What descriptors that are opened below it may be used for.
const PREOPEN_INHERITING: u64 = PREOPEN_BASE
    | rights::FD_DATASYNC
    | rights::FD_READ
    | rights::FD_SEEK
    | rights::FD_FDSTAT_SET_FLAGS
    | rights::FD_SYNC
    | rights::FD_TELL
    | rights::FD_WRITE
    | rights::FD_ADVISE
    | rights::FD_ALLOCATE
    | rights::FD_FILESTAT_SET_SIZE
    | rights::POLL_FD_READWRITE;

impl<W: World> Host<W> {
    /// Tells kind, flags and rights of a descriptor.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_fdstat_get(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        stat: u32,
    ) -> Result<Errno, Halt> {
        let fdstat = match self.fdstat(fd) {
            Ok(fdstat) => fdstat,
            Err(errno) => return Ok(errno),
        };
        answer(write_aligned(memory, stat, 8, &fdstat))
    }

    /// Sets the flags of a file's descriptor.
    ///
    /// # Errors
    /// If there are flags that don't exist.
    pub fn fd_fdstat_set_flags(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        flags: u32,
    ) -> Result<Errno, Halt> {
        let flags = super::flags(flags, fdflags::ALL)?;
        let file = match self.fds.file_mut(fd) {
            Ok(file) => file,
            Err(errno) => return Ok(errno),
        };
        if flags & (fdflags::DSYNC | fdflags::SYNC | fdflags::RSYNC) != 0 {
            return Ok(Errno::Inval);
        }
        file.append = flags & fdflags::APPEND != 0;
        file.nonblock = flags & fdflags::NONBLOCK != 0;
        Ok(Errno::Success)
    }

    /// Would take rights away, which isn't supported.
    ///
    /// # Errors
    /// If there are rights that don't exist.
    pub fn fd_fdstat_set_rights(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        base: u64,
        inheriting: u64,
    ) -> Result<Errno, Halt> {
        answer(
            super::rights(base)
                .and(super::rights(inheriting))
                .and_then(|_| {
                    self.fds.inode(fd)?;
                    Err(Errno::Notsup.into())
                }),
        )
    }

    /// Tells the attributes of what is open.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_filestat_get(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        stat: u32,
    ) -> Result<Errno, Halt> {
        let bytes = match self.fds.get(fd) {
            Ok(Descriptor::File(file)) => encode(&self.fs.stat(file.inode)),
            Ok(Descriptor::Directory(directory)) => encode(&self.fs.stat(directory.inode)),
            // The kind of the standard streams is 0 as well.
            Ok(Descriptor::Stdin | Descriptor::Output(_)) => [0; 64],
            Err(errno) => return Ok(errno),
        };
        answer(write_aligned(memory, stat, 8, &bytes))
    }

    /// Cuts or extends a file.
    ///
    /// # Errors
    /// Never.
    pub fn fd_filestat_set_size(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        size: u64,
    ) -> Result<Errno, Halt> {
        answer(self.set_size(fd, size))
    }

    /// Sets the times of what is open.
    ///
    /// # Errors
    /// If there are flags that don't exist.
    pub fn fd_filestat_set_times(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        atim: u64,
        mtim: u64,
        flags: u32,
    ) -> Result<Errno, Halt> {
        answer(self.set_fd_times(fd, atim, mtim, flags))
    }

    /// Tells whether the descriptor is the preopened directory.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_prestat_get(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        prestat: u32,
    ) -> Result<Errno, Halt> {
        if !self.is_preopen(fd) {
            return Ok(Errno::Badf);
        }
        // Kind 0 is a directory; behind it the length of its name.
        let mut bytes = [0; 8];
        bytes[4..].copy_from_slice(&(PREOPEN.len() as u32).to_le_bytes());
        answer(write_aligned(memory, prestat, 4, &bytes))
    }

    /// Tells the name of the preopened directory.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_prestat_dir_name(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<Errno, Halt> {
        if let Err(errno) = self.fds.get(fd) {
            return Ok(errno);
        }
        if !self.is_preopen(fd) {
            return Ok(Errno::Notdir);
        }
        if (path_len as usize) < PREOPEN.len() {
            return Ok(Errno::Nametoolong);
        }
        answer(memory.write(path, PREOPEN).map_err(Into::into))
    }

    fn is_preopen(&self, fd: u32) -> bool {
        matches!(self.fds.get(fd), Ok(Descriptor::Directory(directory)) if directory.preopen)
    }

    fn fdstat(&self, fd: u32) -> Result<[u8; 24], Errno> {
        let (filetype, flags, base, inheriting) = match self.fds.get(fd)? {
            Descriptor::Stdin => (Filetype::Unknown, 0, rights::FD_READ, rights::FD_READ),
            Descriptor::Output(_) => (Filetype::Unknown, 0, rights::FD_WRITE, rights::FD_WRITE),
            Descriptor::Directory(directory) if directory.preopen => {
                (Filetype::Directory, 0, PREOPEN_BASE, PREOPEN_INHERITING)
            }
            Descriptor::Directory(_) => {
                let not = rights::FD_SEEK
                    | rights::FD_FILESTAT_SET_SIZE
                    | rights::PATH_FILESTAT_SET_SIZE
                    | rights::FD_WRITE;
                let base = rights::ALL & !not;
                (Filetype::Directory, 0, base, base)
            }
            Descriptor::File(file) => {
                let mut base = rights::ALL;
                if !file.readable {
                    base &= !(rights::FD_READ | rights::FD_READDIR);
                }
                if !file.writable {
                    base &= !rights::FD_WRITE;
                }
                let append = if file.append { fdflags::APPEND } else { 0 };
                let nonblock = if file.nonblock { fdflags::NONBLOCK } else { 0 };
                (Filetype::RegularFile, append | nonblock, base, base)
            }
        };
        let mut bytes = [0; 24];
        bytes[0] = filetype as u8;
        bytes[2..4].copy_from_slice(&flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&base.to_le_bytes());
        bytes[16..].copy_from_slice(&inheriting.to_le_bytes());
        Ok(bytes)
    }

    fn set_size(&mut self, fd: u32, size: u64) -> Step<()> {
        let file = self.fds.file(fd)?;
        if !file.writable {
            return Err(Errno::Inval.into());
        }
        let now = self.world.file_ns();
        Ok(self.fs.set_size(file.inode, size, now)?)
    }

    fn set_fd_times(&mut self, fd: u32, atim: u64, mtim: u64, fst_flags: u32) -> Step<()> {
        let now = self.world.file_ns();
        let (atim, mtim) = times(atim, mtim, fst_flags, now)?;
        let inode = self.fds.inode(fd)?;
        self.fs.set_times(inode, atim, mtim, now);
        Ok(())
    }
}

/// The times to set: each the one given, the present one, or none.
pub(super) fn times(
    atim: u64,
    mtim: u64,
    fst_flags: u32,
    now: u64,
) -> Step<(Option<u64>, Option<u64>)> {
    let fst_flags = flags(fst_flags, fstflags::ALL)?;
    let pick = |time, set, set_now| match (fst_flags & set != 0, fst_flags & set_now != 0) {
        (true, true) => Err(Errno::Inval),
        (true, false) => Ok(Some(time)),
        (false, true) => Ok(Some(now)),
        (false, false) => Ok(None),
    };
    let accessed = pick(atim, fstflags::ATIM, fstflags::ATIM_NOW)?;
    let modified = pick(mtim, fstflags::MTIM, fstflags::MTIM_NOW)?;
    Ok((accessed, modified))
}

/// Attributes as the guest gets them.
pub(super) fn encode(stat: &Stat) -> [u8; 64] {
    let mut bytes = [0; 64];
    let fields = [
        1, // the device: there is one
        stat.number,
        u64::from(stat.filetype as u8),
        stat.links,
        stat.size,
        stat.accessed,
        stat.modified,
        stat.changed,
    ];
    for (into, field) in bytes.chunks_exact_mut(8).zip(fields) {
        into.copy_from_slice(&field.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::super::halt::BadCall;
    use super::super::test_support::{OK, host, open, trap};
    use super::*;

    #[test]
    fn the_root_is_preopened() {
        let (mut host, mut memory) = host();
        assert_eq!(host.fd_prestat_get(&mut memory, 3, 0), OK);
        assert_eq!((memory.u32(0), memory.u32(4)), (0, 1));
        assert_eq!(host.fd_prestat_dir_name(&mut memory, 3, 9, 1), OK);
        assert_eq!(memory.bytes(9, 1), b"/");
        let short = host.fd_prestat_dir_name(&mut memory, 3, 9, 0);
        assert_eq!(short, Ok(Errno::Nametoolong));
        for fd in [0, 4] {
            assert_eq!(host.fd_prestat_get(&mut memory, fd, 0), Ok(Errno::Badf));
        }
        let other = host.fd_prestat_dir_name(&mut memory, 1, 9, 1);
        assert_eq!(other, Ok(Errno::Notdir));
        let none = host.fd_prestat_dir_name(&mut memory, 4, 9, 1);
        assert_eq!(none, Ok(Errno::Badf));
    }

    #[test]
    fn descriptors_tell_what_they_are() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "in.txt");
        for (fd, filetype) in [(0, 0), (1, 0), (3, 3), (fd, 4)] {
            assert_eq!(host.fd_fdstat_get(&mut memory, fd, 64), OK);
            assert_eq!(memory.bytes(64, 1), [filetype]);
            assert_eq!(host.fd_filestat_get(&mut memory, fd, 64), OK);
            assert_eq!(memory.bytes(80, 1), [filetype]);
        }
        assert_eq!(memory.u64(64 + 32), 11);
        assert_eq!(memory.u64(64 + 48), 5_000);
        assert_eq!(host.fd_fdstat_get(&mut memory, 9, 64), Ok(Errno::Badf));
        let misaligned = trap(BadCall::Misaligned);
        assert_eq!(host.fd_filestat_get(&mut memory, fd, 4), misaligned);
    }

    #[test]
    fn flags_can_be_set_on_files_only() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "in.txt");
        let flags = u32::from(fdflags::APPEND | fdflags::NONBLOCK);
        assert_eq!(host.fd_fdstat_set_flags(&mut memory, fd, flags), OK);
        assert_eq!(host.fd_fdstat_get(&mut memory, fd, 64), OK);
        assert_eq!(memory.bytes(66, 1), [5]);
        let sync = host.fd_fdstat_set_flags(&mut memory, fd, 16);
        assert_eq!(sync, Ok(Errno::Inval));
        let stdio = host.fd_fdstat_set_flags(&mut memory, 1, 0);
        assert_eq!(stdio, Ok(Errno::Badf));
        let invalid = trap(BadCall::InvalidValue);
        assert_eq!(host.fd_fdstat_set_flags(&mut memory, fd, 32), invalid);
        let rights = host.fd_fdstat_set_rights(&mut memory, fd, 0, 0);
        assert_eq!(rights, Ok(Errno::Notsup));
        let rights = host.fd_fdstat_set_rights(&mut memory, 1, 0, 0);
        assert_eq!(rights, Ok(Errno::Badf));
        let rights = host.fd_fdstat_set_rights(&mut memory, 1, 1 << 30, 0);
        assert_eq!(rights, invalid);
    }

    #[test]
    fn sizes_and_times_can_be_set() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "in.txt");
        assert_eq!(host.fd_filestat_set_size(&mut memory, fd, 20), OK);
        assert_eq!(host.fd_filestat_set_times(&mut memory, fd, 7, 8, 1 | 4), OK);
        assert_eq!(host.fd_filestat_get(&mut memory, fd, 64), OK);
        assert_eq!(memory.u64(64 + 32), 20);
        assert_eq!((memory.u64(64 + 40), memory.u64(64 + 48)), (7, 8));
        let both = host.fd_filestat_set_times(&mut memory, 9, 7, 8, 1 | 2);
        assert_eq!(both, Ok(Errno::Inval));
        let large = host.fd_filestat_set_size(&mut memory, fd, 1 << 40);
        assert_eq!(large, Ok(Errno::Nospc));
        let stdio = host.fd_filestat_set_size(&mut memory, 1, 0);
        assert_eq!(stdio, Ok(Errno::Badf));
    }
}
