//! Sockets: there are none, and no descriptor is one.

use super::super::halt::Halt;
use super::super::memory::GuestMemory;
use super::super::types::{Errno, count, fdflags};
use super::super::world::World;
use super::{Host, flags, member};

impl<W: World> Host<W> {
    /// Would accept a connection.
    ///
    /// # Errors
    /// If the flags don't exist.
    pub fn sock_accept(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        fdflags: u32,
        _accepted: u32,
    ) -> Result<Errno, Halt> {
        flags(fdflags, fdflags::ALL)?;
        self.not_a_socket(fd)
    }

    /// Would receive data.
    ///
    /// # Errors
    /// If the flags don't exist.
    #[expect(clippy::too_many_arguments, reason = "the import has as many")]
    pub fn sock_recv(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        _iovs: u32,
        _iovs_len: u32,
        ri_flags: u32,
        _nread: u32,
        _out_flags: u32,
    ) -> Result<Errno, Halt> {
        member(ri_flags, count::RIFLAGS)?;
        self.not_a_socket(fd)
    }

    /// Would send data.
    ///
    /// # Errors
    /// If the flags don't fit their type.
    pub fn sock_send(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        _iovs: u32,
        _iovs_len: u32,
        si_flags: u32,
        _nwritten: u32,
    ) -> Result<Errno, Halt> {
        flags(si_flags, u16::MAX)?;
        self.not_a_socket(fd)
    }

    /// Would shut a connection down.
    ///
    /// # Errors
    /// If the flags don't exist.
    pub fn sock_shutdown(
        &mut self,
        _memory: &mut impl GuestMemory,
        fd: u32,
        how: u32,
    ) -> Result<Errno, Halt> {
        member(how, count::SDFLAGS)?;
        self.not_a_socket(fd)
    }

    fn not_a_socket(&self, fd: u32) -> Result<Errno, Halt> {
        match self.fds.get(fd) {
            Ok(_) => Ok(Errno::Notsock),
            Err(errno) => Ok(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::halt::BadCall;
    use super::super::test_support::{host, trap};
    use super::*;

    #[test]
    fn nothing_is_a_socket() {
        let (mut host, mut memory) = host();
        let memory = &mut memory;
        for (fd, errno) in [(1, Errno::Notsock), (3, Errno::Notsock), (9, Errno::Badf)] {
            assert_eq!(host.sock_accept(memory, fd, 0, 0), Ok(errno));
            assert_eq!(host.sock_recv(memory, fd, 0, 0, 0, 0, 0), Ok(errno));
            assert_eq!(host.sock_send(memory, fd, 0, 0, 0, 0), Ok(errno));
            assert_eq!(host.sock_shutdown(memory, fd, 1), Ok(errno));
        }
        assert_eq!(
            host.sock_shutdown(memory, 1, 4),
            trap(BadCall::InvalidValue)
        );
    }
}
