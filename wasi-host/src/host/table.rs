//! Calls on descriptors that move no data: closing, renumbering, advice, sync.

use super::super::halt::Halt;
use super::super::memory::GuestMemory;
use super::super::types::{Errno, count};
use super::super::world::World;
use super::{Host, member};

impl<W: World> Host<W> {
    /// Closes a descriptor.
    ///
    /// # Errors
    /// Never.
    pub fn fd_close(&mut self, _memory: &mut impl GuestMemory, fd: u32) -> Result<Errno, Halt> {
        match self.fds.remove(fd) {
            Ok(descriptor) => {
                self.closed(descriptor);
                Ok(Errno::Success)
            }
            Err(errno) => Ok(errno),
        }
    }

    /// Moves a descriptor onto another one, which is closed.
    ///
    /// # Errors
    /// Never.
    pub fn fd_renumber(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        to: u32,
    ) -> Result<Errno, Halt> {
        match self.fds.renumber(fd, to) {
            Ok(replaced) => {
                if let Some(replaced) = replaced {
                    self.closed(replaced);
                }
                Ok(Errno::Success)
            }
            Err(errno) => Ok(errno),
        }
    }

    /// Takes advice on how a file will be used, and needs none.
    ///
    /// # Errors
    /// If the advice doesn't exist.
    pub fn fd_advise(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        _offset: u64,
        _len: u64,
        advice: u32,
    ) -> Result<Errno, Halt> {
        member(advice, count::ADVICE)?;
        self.if_file(fd, Errno::Success)
    }

    /// Would set room aside for a file: no host supports it.
    ///
    /// # Errors
    /// Never.
    pub fn fd_allocate(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        _offset: u64,
        _len: u64,
    ) -> Result<Errno, Halt> {
        self.if_file(fd, Errno::Notsup)
    }

    /// Makes data durable, as far as a memory can.
    ///
    /// # Errors
    /// Never.
    pub fn fd_datasync(&mut self, _memory: &mut impl GuestMemory, fd: u32) -> Result<Errno, Halt> {
        self.if_file(fd, Errno::Success)
    }

    /// As [`Host::fd_datasync`].
    ///
    /// # Errors
    /// Never.
    pub fn fd_sync(&mut self, _memory: &mut impl GuestMemory, fd: u32) -> Result<Errno, Halt> {
        self.if_file(fd, Errno::Success)
    }

    fn if_file(&self, fd: u32, then: Errno) -> Result<Errno, Halt> {
        match self.fds.file(fd) {
            Ok(_) => Ok(then),
            Err(errno) => Ok(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{OK, host, open};
    use super::*;

    #[test]
    fn renumbering_closes_what_was_there() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "log");
        assert_eq!(host.fd_renumber(&mut memory, fd, 1), OK);
        memory.put(100, b"to the file");
        memory.iovec(100, 11);
        assert_eq!(host.fd_write(&mut memory, 1, 0, 1, 8), OK);
        assert_eq!(host.fd_close(&mut memory, fd), Ok(Errno::Badf));
        let renumbered = host.fd_renumber(&mut memory, 1, 77);
        assert_eq!(renumbered, Ok(Errno::Badf));
        let mut outputs = host.into_outputs();
        assert_eq!(outputs.stdout, "");
        let files = outputs.fs.collect_files(|path, _| path == "log");
        assert_eq!(files[0].1, "to the file");
    }
}
