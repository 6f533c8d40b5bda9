//! Calls on paths.

use super::super::fs::Inode;
use super::super::halt::{BadCall, Halt, Step, answer};
use super::super::memory::{Budget, GuestMemory, read_string, write_aligned, write_u32};
use super::super::types::{Errno, LOOKUP_SYMLINK_FOLLOW};
use super::super::world::World;
use super::Host;
use super::fdstat::{encode, times};

/// A string in the guest's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text(pub(super) u32, pub(super) u32);

impl Text {
    pub(super) fn read(self, memory: &impl GuestMemory, budget: &mut Budget) -> Step<String> {
        read_string(memory, budget, self.0, self.1)
    }
}

#[expect(clippy::too_many_arguments, reason = "the imports have as many")]
impl<W: World> Host<W> {
    /// Makes a directory.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn path_create_directory(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<Errno, Halt> {
        let at = self.at(memory, fd, Text(path, path_len));
        answer(at.and_then(|(directory, path)| {
            let now = self.world.file_ns();
            Ok(self.fs.create_directory(directory, &path, now)?)
        }))
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn path_remove_directory(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<Errno, Halt> {
        let at = self.at(memory, fd, Text(path, path_len));
        answer(at.and_then(|(directory, path)| {
            let now = self.world.file_ns();
            Ok(self.fs.remove_directory(directory, &path, now)?)
        }))
    }

    /// Removes the name of a file or symbolic link.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn path_unlink_file(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<Errno, Halt> {
        let at = self.at(memory, fd, Text(path, path_len));
        answer(at.and_then(|(directory, path)| {
            let now = self.world.file_ns();
            Ok(self.fs.unlink(directory, &path, now)?)
        }))
    }

    /// Tells the attributes of what a path names.
    ///
    /// # Errors
    /// If a pointer or the flags are bad.
    pub fn path_filestat_get(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        stat: u32,
    ) -> Result<Errno, Halt> {
        let follow = follow(lookup)?;
        let at = self.at(memory, fd, Text(path, path_len));
        answer(at.and_then(|(directory, path)| {
            let inode = self.fs.lookup(directory, &path, follow)?;
            write_aligned(memory, stat, 8, &encode(&self.fs.stat(inode)))
        }))
    }

    /// Sets the times of what a path names.
    ///
    /// # Errors
    /// If a pointer or the flags are bad.
    pub fn path_filestat_set_times(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        atim: u64,
        mtim: u64,
        fst_flags: u32,
    ) -> Result<Errno, Halt> {
        let follow = follow(lookup)?;
        let now = self.world.file_ns();
        let result = times(atim, mtim, fst_flags, now).and_then(|(atim, mtim)| {
            let (directory, path) = self.at(memory, fd, Text(path, path_len))?;
            let inode = self.fs.lookup(directory, &path, follow)?;
            self.fs.set_times(inode, atim, mtim, now);
            Ok(())
        });
        answer(result)
    }

    /// Gives a file one more name.
    ///
    /// # Errors
    /// If a pointer or the flags are bad.
    pub fn path_link(
        &mut self,
        memory: &mut impl GuestMemory,
        old_fd: u32,
        old_flags: u32,
        old_path: u32,
        old_len: u32,
        new_fd: u32,
        new_path: u32,
        new_len: u32,
    ) -> Result<Errno, Halt> {
        let follow = follow(old_flags)?;
        let old = (old_fd, Text(old_path, old_len));
        let new = (new_fd, Text(new_path, new_len));
        let pair = self.pair(memory, old, new);
        answer(pair.and_then(|[(old, old_path), (new, new_path)]| {
            if follow {
                return Err(Errno::Inval.into());
            }
            let now = self.world.file_ns();
            Ok(self.fs.link(old, &old_path, new, &new_path, now)?)
        }))
    }

    /// Moves a name.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn path_rename(
        &mut self,
        memory: &mut impl GuestMemory,
        old_fd: u32,
        old_path: u32,
        old_len: u32,
        new_fd: u32,
        new_path: u32,
        new_len: u32,
    ) -> Result<Errno, Halt> {
        let old = (old_fd, Text(old_path, old_len));
        let new = (new_fd, Text(new_path, new_len));
        let pair = self.pair(memory, old, new);
        answer(pair.and_then(|[(old, old_path), (new, new_path)]| {
            let now = self.world.file_ns();
            Ok(self.fs.rename(old, &old_path, new, &new_path, now)?)
        }))
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn path_symlink(
        &mut self,
        memory: &mut impl GuestMemory,
        target: u32,
        target_len: u32,
        fd: u32,
        path: u32,
        path_len: u32,
    ) -> Result<Errno, Halt> {
        let target = (fd, Text(target, target_len));
        let link = (fd, Text(path, path_len));
        let pair = self.pair(memory, target, link);
        answer(pair.and_then(|[(_, target), (directory, path)]| {
            let now = self.world.file_ns();
            Ok(self.fs.symlink(&target, directory, &path, now)?)
        }))
    }

    /// Reads the target of a symbolic link, cut to the buffer.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn path_readlink(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        path: u32,
        path_len: u32,
        buf: u32,
        buf_len: u32,
        used: u32,
    ) -> Result<Errno, Halt> {
        let at = self.at(memory, fd, Text(path, path_len));
        answer(at.and_then(|(directory, path)| {
            let target = self.fs.read_link(directory, &path)?.as_bytes();
            let fits = target.len().min(buf_len as usize);
            memory.write(buf, &target[..fits])?;
            write_u32(memory, used, fits as u32)
        }))
    }

    /// The directory and path that a call works on.
    fn at(&self, memory: &impl GuestMemory, fd: u32, path: Text) -> Step<(Inode, String)> {
        let directory = self.fds.directory(fd)?;
        Ok((directory, path.read(memory, &mut Budget::new())?))
    }

    /// The same for calls that work on two.
    fn pair(
        &self,
        memory: &impl GuestMemory,
        old: (u32, Text),
        new: (u32, Text),
    ) -> Step<[(Inode, String); 2]> {
        let old_directory = self.fds.directory(old.0)?;
        let new_directory = self.fds.directory(new.0)?;
        let budget = &mut Budget::new();
        let old_path = old.1.read(memory, budget)?;
        let new_path = new.1.read(memory, budget)?;
        Ok([(old_directory, old_path), (new_directory, new_path)])
    }
}

/// Whether to follow a symbolic link at the end of a path.
pub(super) fn follow(lookup: u32) -> Result<bool, Halt> {
    if lookup > LOOKUP_SYMLINK_FOLLOW {
        return Err(Halt::Trap(BadCall::InvalidValue));
    }
    Ok(lookup == LOOKUP_SYMLINK_FOLLOW)
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{OK, TestMemory, TestWorld, host, trap};
    use super::*;

    const PATH: u32 = 1024;
    const OTHER: u32 = 1536;

    fn stat(host: &mut Host<TestWorld>, memory: &mut TestMemory, path: &str) -> Errno {
        let len = memory.put(PATH, path.as_bytes());
        host.path_filestat_get(memory, 3, 0, PATH, len, 64)
            .expect("no trap")
    }

    #[test]
    fn names_come_and_go() {
        let (mut host, mut memory) = host();
        let m = &mut memory;
        let len = m.put(OTHER, b"dir/new");
        assert_eq!(host.path_create_directory(m, 3, OTHER, len), OK);
        assert_eq!(stat(&mut host, m, "dir/new"), Errno::Success);
        assert_eq!(host.path_remove_directory(m, 3, OTHER, len), OK);
        assert_eq!(stat(&mut host, m, "dir/new"), Errno::Noent);
        let old = m.put(PATH, b"in.txt");
        assert_eq!(host.path_link(m, 3, 0, PATH, old, 3, OTHER, len), OK);
        let follow = host.path_link(m, 3, 1, PATH, old, 3, OTHER, len);
        assert_eq!(follow, Ok(Errno::Inval));
        assert_eq!(host.path_rename(m, 3, PATH, old, 3, OTHER, len), OK);
        assert_eq!(stat(&mut host, m, "in.txt"), Errno::Success);
        let old = m.put(PATH, b"in.txt");
        assert_eq!(host.path_unlink_file(m, 3, PATH, old), OK);
        assert_eq!(stat(&mut host, m, "in.txt"), Errno::Noent);
        assert_eq!(stat(&mut host, m, "dir/new"), Errno::Success);
        assert_eq!(m.u64(64 + 24), 1);
    }

    #[test]
    fn symbolic_links_are_read_and_cut() {
        let (mut host, mut memory) = host();
        let m = &mut memory;
        let target = m.put(PATH, b"in.txt");
        let path = m.put(OTHER, b"link");
        assert_eq!(host.path_symlink(m, PATH, target, 3, OTHER, path), OK);
        assert_eq!(host.path_readlink(m, 3, OTHER, path, 200, 99, 8), OK);
        assert_eq!((m.u32(8), m.bytes(200, 6)), (6, &b"in.txt"[..]));
        assert_eq!(host.path_readlink(m, 3, OTHER, path, 200, 2, 8), OK);
        assert_eq!(m.u32(8), 2);
        assert_eq!(stat(&mut host, m, "link"), Errno::Success);
        assert_eq!(m.bytes(80, 1), [7]);
        let set = host.path_filestat_set_times(m, 3, 1, OTHER, path, 5, 6, 5);
        assert_eq!(set, OK);
        assert_eq!(stat(&mut host, m, "in.txt"), Errno::Success);
        assert_eq!((m.u64(64 + 40), m.u64(64 + 48)), (5, 6));
    }

    #[test]
    fn paths_must_be_text() {
        let (mut host, mut memory) = host();
        memory.put(PATH, b"\xff\xfe");
        let result = host.path_unlink_file(&mut memory, 3, PATH, 2);
        assert_eq!(result, Ok(Errno::Ilseq));
        let result = host.path_unlink_file(&mut memory, 3, PATH, 5000);
        assert_eq!(result, trap(BadCall::OutOfBounds));
        let result = host.path_filestat_get(&mut memory, 3, 2, PATH, 1, 0);
        assert_eq!(result, trap(BadCall::InvalidValue));
    }
}
