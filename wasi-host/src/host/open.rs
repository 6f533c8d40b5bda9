//! Opening paths.

use super::super::fds::{Descriptor, OpenDirectory, OpenFile};
use super::super::fs::Open;
use super::super::halt::{Halt, answer};
use super::super::memory::{Budget, GuestMemory, write_u32};
use super::super::types::{Errno, Filetype, fdflags, oflags, rights};
use super::super::world::World;
use super::path::{Text, follow};
use super::{Host, flags};

impl<W: World> Host<W> {
    /// Opens a path.
    ///
    /// # Errors
    /// If a pointer or a set of flags is bad.
    #[expect(clippy::too_many_arguments, reason = "the import has as many")]
    pub fn path_open(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        dirflags: u32,
        path: u32,
        path_len: u32,
        oflags: u32,
        base: u64,
        inheriting: u64,
        fdflags: u32,
        opened: u32,
    ) -> Result<Errno, Halt> {
        let follow = follow(dirflags)?;
        let oflags = flags(oflags, oflags::ALL)?;
        let fdflags = flags(fdflags, fdflags::ALL)?;
        let result = super::rights(base)
            .and(super::rights(inheriting))
            .and_then(|_| Text(path, path_len).read(memory, &mut Budget::new()))
            .and_then(|path| Ok(self.open(fd, &path, follow, oflags, base, fdflags)?))
            .and_then(|fd| write_u32(memory, opened, fd));
        answer(result)
    }

    fn open(
        &mut self,
        fd: u32,
        path: &str,
        follow: bool,
        oflags: u16,
        base: u64,
        fdflags: u16,
    ) -> Result<u32, Errno> {
        let directory = match self.fds.get(fd)? {
            Descriptor::Directory(directory) => directory.inode,
            Descriptor::File(_) => return Err(Errno::Notdir),
            Descriptor::Stdin | Descriptor::Output(_) => return Err(Errno::Badf),
        };
        if fdflags & (fdflags::DSYNC | fdflags::RSYNC | fdflags::SYNC) != 0 {
            return Err(Errno::Notsup);
        }
        let creates = oflags & (oflags::CREAT | oflags::EXCL | oflags::TRUNC) != 0;
        if oflags & oflags::DIRECTORY != 0 && creates {
            return Err(Errno::Inval);
        }
        self.fds.check_room()?;
        // Who creates or cuts a file may write to it, and who may not write
        // may read: there has to be one of both.
        let writes = base & rights::FD_WRITE != 0;
        let how = Open {
            follow,
            write: writes || oflags & (oflags::CREAT | oflags::TRUNC) != 0,
            create: oflags & oflags::CREAT != 0,
            exclusive: oflags & oflags::EXCL != 0,
            truncate: oflags & oflags::TRUNC != 0,
            directory: oflags & oflags::DIRECTORY != 0,
        };
        let now = self.world.file_ns();
        let inode = self.fs.open(directory, path, how, now)?;
        let descriptor = match self.fs.filetype(inode) {
            Filetype::Directory => Descriptor::Directory(OpenDirectory {
                inode,
                preopen: false,
                listing: None,
            }),
            _ => Descriptor::File(OpenFile {
                inode,
                position: 0,
                readable: base & rights::FD_READ != 0 || !writes,
                writable: how.write,
                append: fdflags & fdflags::APPEND != 0,
                nonblock: fdflags & fdflags::NONBLOCK != 0,
            }),
        };
        self.fs.retain(inode);
        self.fds.push(descriptor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::halt::BadCall;
    use super::super::test_support::{OK, host, open, trap};
    use super::*;

    const PATH: u32 = 1024;

    fn try_open(path: &str, oflags: u32, base: u64, fdflags: u32) -> Result<Errno, Halt> {
        let (mut host, mut memory) = host();
        let len = memory.put(PATH, path.as_bytes());
        host.path_open(&mut memory, 3, 1, PATH, len, oflags, base, 0, fdflags, 8)
    }

    #[test]
    fn open_checks_its_flags_in_order() {
        let directory = u32::from(oflags::DIRECTORY);
        for (path, oflags, fdflags, errno) in [
            ("in.txt", 0, 2, Errno::Notsup),
            ("in.txt", directory | 1, 0, Errno::Inval),
            ("in.txt", directory, 0, Errno::Notdir),
            ("dir", directory, 0, Errno::Success),
            ("dir", 0, 0, Errno::Success),
            ("dir", 1, 0, Errno::Isdir),
            ("dir", 8, 0, Errno::Isdir),
            ("nothing", 0, 0, Errno::Noent),
            ("nothing", 1, 0, Errno::Success),
            ("../in.txt", 0, 0, Errno::Perm),
        ] {
            assert_eq!(try_open(path, oflags, 2, fdflags), Ok(errno), "{path}");
        }
        assert_eq!(try_open("dir", 0, 64, 0), Ok(Errno::Isdir));
        let invalid = trap(BadCall::InvalidValue);
        assert_eq!(try_open("in.txt", 16, 2, 0), invalid);
        assert_eq!(try_open("in.txt", 0, 2, 32), invalid);
        assert_eq!(try_open("in.txt", 0, 1 << 30, 0), invalid);
    }

    #[test]
    fn open_wants_a_directory_to_start_from() {
        let (mut host, mut memory) = host();
        let file = open(&mut host, &mut memory, "in.txt");
        for (fd, errno) in [(file, Errno::Notdir), (1, Errno::Badf), (99, Errno::Badf)] {
            let result = host.path_open(&mut memory, fd, 0, PATH, 1, 0, 2, 0, 0, 8);
            assert_eq!(result, Ok(errno));
            // All other calls see no difference.
            let result = host.path_unlink_file(&mut memory, fd, PATH, 1);
            assert_eq!(result, Ok(Errno::Badf));
        }
    }

    #[test]
    fn rights_decide_what_a_file_does() {
        let (mut host, mut memory) = host();
        let len = memory.put(PATH, b"in.txt");
        memory.iovec(100, 4);
        for (base, read, write) in [
            (0, Errno::Success, Errno::Badf),
            (2, Errno::Success, Errno::Badf),
            (64, Errno::Badf, Errno::Success),
            (66, Errno::Success, Errno::Success),
        ] {
            let opened = host.path_open(&mut memory, 3, 1, PATH, len, 0, base, 0, 0, 8);
            assert_eq!(opened, OK);
            let fd = memory.u32(8);
            assert_eq!(host.fd_read(&mut memory, fd, 0, 1, 8), Ok(read));
            assert_eq!(host.fd_write(&mut memory, fd, 0, 1, 8), Ok(write));
        }
    }
}
