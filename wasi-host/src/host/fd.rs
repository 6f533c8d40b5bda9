//! Reading, writing and seeking through descriptors.

use bytes::Buf;

use super::super::fds::Descriptor;
use super::super::halt::{BadCall, Halt, Step, Stop, answer};
use super::super::memory::{GuestMemory, Range, check, first_buffer, write_u32, write_u64};
use super::super::types::{Errno, Stream, Whence};
use super::super::world::World;
use super::Host;

/// Where a read or write happens.
#[derive(Debug, Clone, Copy)]
enum At {
    /// At the descriptor's offset, which moves.
    Cursor,
    /// At this offset; the descriptor's stays.
    Offset(u64),
}

impl<W: World> Host<W> {
    /// Writes at the descriptor's offset.
    ///
    /// # Errors
    /// If a pointer is bad or the output limit is passed.
    pub fn fd_write(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        nwritten: u32,
    ) -> Result<Errno, Halt> {
        let result = self.write(memory, fd, iovs, iovs_len, At::Cursor);
        answer(result.and_then(|written| write_u32(memory, nwritten, written)))
    }

    /// Writes at an offset.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_pwrite(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        nwritten: u32,
    ) -> Result<Errno, Halt> {
        let result = self.write(memory, fd, iovs, iovs_len, At::Offset(offset));
        answer(result.and_then(|written| write_u32(memory, nwritten, written)))
    }

    /// Reads at the descriptor's offset.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_read(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        nread: u32,
    ) -> Result<Errno, Halt> {
        let result = self.read(memory, fd, iovs, iovs_len, At::Cursor);
        answer(result.and_then(|read| write_u32(memory, nread, read)))
    }

    /// Reads at an offset.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_pread(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        nread: u32,
    ) -> Result<Errno, Halt> {
        let result = self.read(memory, fd, iovs, iovs_len, At::Offset(offset));
        answer(result.and_then(|read| write_u32(memory, nread, read)))
    }

    /// Moves the descriptor's offset.
    ///
    /// # Errors
    /// If a pointer or `whence` is bad.
    pub fn fd_seek(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        offset: i64,
        whence: u32,
        position: u32,
    ) -> Result<Errno, Halt> {
        let whence = Whence::from_number(whence).ok_or(Halt::Trap(BadCall::InvalidValue))?;
        let result = self.seek(fd, offset, whence);
        answer(result.and_then(|at| write_u64(memory, position, at)))
    }

    /// Tells the descriptor's offset.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn fd_tell(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        position: u32,
    ) -> Result<Errno, Halt> {
        match self.fds.seekable(fd) {
            Ok(file) => answer(write_u64(memory, position, file.position)),
            Err(errno) => Ok(errno),
        }
    }

    fn write(
        &mut self,
        memory: &impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        at: At,
    ) -> Step<u32> {
        let from = first_buffer(memory, iovs, iovs_len)?;
        match self.fds.get(fd)? {
            Descriptor::Output(stream) => {
                let stream = *stream;
                match at {
                    At::Cursor => self.write_output(memory, stream, from),
                    At::Offset(_) => Err(Errno::Spipe.into()),
                }
            }
            Descriptor::File(_) => self.write_file(memory, fd, from, at),
            Descriptor::Stdin | Descriptor::Directory(_) => Err(Errno::Badf.into()),
        }
    }

    /// Writes straight from the guest's memory to the end of what is kept.
    fn write_output(
        &mut self,
        memory: &impl GuestMemory,
        stream: Stream,
        from: Range,
    ) -> Step<u32> {
        check(memory, from)?;
        let output = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let start = output.len();
        let room = self.output_limit.saturating_sub(start as u64);
        let fits = room.min(u64::from(from.len)) as usize;
        output.resize(start + fits, 0);
        memory.read(from.address, &mut output[start..])?;
        if fits < from.len as usize {
            return Err(Halt::OutputExceeded(stream).into());
        }
        Ok(from.len)
    }

    fn write_file(&mut self, memory: &impl GuestMemory, fd: u32, from: Range, at: At) -> Step<u32> {
        check(memory, from)?;
        let file = self.fds.file_mut(fd)?;
        if !file.writable {
            return Err(Errno::Badf.into());
        }
        // As on Linux, files in append mode append wherever they are told.
        let offset = match at {
            _ if file.append => self.fs.size(file.inode),
            At::Cursor => file.position,
            At::Offset(offset) => offset,
        };
        let now = self.world.file_ns();
        let len = u64::from(from.len);
        let written = self.fs.write_with(file.inode, offset, len, now, |into| {
            Ok::<_, Stop>(memory.read(from.address, into)?)
        })?;
        if let At::Cursor = at {
            file.position = offset + written;
        }
        // At most `from.len`.
        Ok(written as u32)
    }

    fn read(
        &mut self,
        memory: &mut impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        at: At,
    ) -> Step<u32> {
        let into = first_buffer(memory, iovs, iovs_len)?;
        let len = u64::from(into.len);
        match self.fds.get_mut(fd)? {
            Descriptor::Stdin => {
                if let At::Offset(_) = at {
                    return Err(Errno::Spipe.into());
                }
                check(memory, into)?;
                let bytes = len.min(self.stdin.len() as u64) as usize;
                memory.write(into.address, &self.stdin[..bytes])?;
                self.stdin.advance(bytes);
                Ok(bytes as u32)
            }
            Descriptor::File(file) => {
                check(memory, into)?;
                if !file.readable {
                    return Err(Errno::Badf.into());
                }
                let offset = match at {
                    At::Cursor => file.position,
                    At::Offset(offset) => offset,
                };
                let data = self.fs.read(file.inode, offset, len)?;
                memory.write(into.address, data)?;
                if let At::Cursor = at {
                    file.position += data.len() as u64;
                }
                Ok(data.len() as u32)
            }
            Descriptor::Output(_) | Descriptor::Directory(_) => Err(Errno::Badf.into()),
        }
    }

    fn seek(&mut self, fd: u32, offset: i64, whence: Whence) -> Step<u64> {
        let file = self.fds.seekable(fd)?;
        let base = match whence {
            Whence::Set => 0,
            Whence::Cur => file.position,
            Whence::End => self.fs.size(file.inode),
        };
        let position = base.checked_add_signed(offset).ok_or(Errno::Inval)?;
        file.position = position;
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::halt::BadCall;
    use super::super::test_support::{OK, host, open, trap};
    use super::*;

    fn errno(errno: Errno) -> Result<Errno, Halt> {
        Ok(errno)
    }

    #[test]
    fn output_is_cut_at_the_limit() {
        let (mut host, mut memory) = host();
        memory.put(100, &[b'x'; 60]);
        memory.iovec(100, 60);
        assert_eq!(host.fd_write(&mut memory, 1, 0, 1, 8), OK);
        assert_eq!(memory.u32(8), 60);
        assert_eq!(
            host.fd_write(&mut memory, 1, 0, 1, 8),
            Err(Halt::OutputExceeded(Stream::Stdout))
        );
        memory.iovec(100, 40);
        assert_eq!(host.fd_write(&mut memory, 2, 0, 1, 8), OK);
        assert_eq!(host.fd_write(&mut memory, 2, 0, 1, 8), OK);
        assert_eq!(host.output(Stream::Stderr).len(), 80);
        let outputs = host.into_outputs();
        assert_eq!(outputs.stdout, vec![b'x'; 100]);
        assert_eq!(outputs.stderr.len(), 80);
    }

    #[test]
    fn output_may_reach_the_limit() {
        let (mut host, mut memory) = host();
        memory.iovec(100, 100);
        assert_eq!(host.fd_write(&mut memory, 1, 0, 1, 8), OK);
        memory.iovec(100, 0);
        assert_eq!(host.fd_write(&mut memory, 1, 0, 1, 8), OK);
        assert_eq!(memory.u32(8), 0);
    }

    #[test]
    fn stdin_ends_after_its_bytes() {
        let (mut host, mut memory) = host();
        memory.iovec(100, 3);
        for expected in ["inp", "ut", "", ""] {
            assert_eq!(host.fd_read(&mut memory, 0, 0, 1, 8), OK);
            assert_eq!(memory.u32(8) as usize, expected.len());
            assert_eq!(memory.bytes(100, expected.len()), expected.as_bytes());
        }
        assert_eq!(
            host.fd_pread(&mut memory, 0, 0, 1, 0, 8),
            errno(Errno::Spipe)
        );
    }

    #[test]
    fn descriptors_of_the_wrong_kind_are_refused() {
        let (mut host, mut memory) = host();
        let memory = &mut memory;
        memory.iovec(100, 3);
        for fd in [0, 3, 9] {
            assert_eq!(host.fd_write(memory, fd, 0, 1, 8), errno(Errno::Badf));
            assert_eq!(host.fd_sync(memory, fd), errno(Errno::Badf));
            assert_eq!(host.fd_advise(memory, fd, 0, 0, 0), errno(Errno::Badf));
        }
        for fd in [1, 3, 9] {
            assert_eq!(host.fd_read(memory, fd, 0, 1, 8), errno(Errno::Badf));
            assert_eq!(host.fd_pread(memory, fd, 0, 1, 0, 8), errno(Errno::Badf));
            assert_eq!(host.fd_allocate(memory, fd, 0, 1), errno(Errno::Badf));
        }
        assert_eq!(host.fd_pwrite(memory, 1, 0, 1, 0, 8), errno(Errno::Spipe));
        assert_eq!(host.fd_seek(memory, 0, 0, 0, 8), errno(Errno::Spipe));
        assert_eq!(host.fd_tell(memory, 2, 8), errno(Errno::Spipe));
        assert_eq!(host.fd_tell(memory, 3, 8), errno(Errno::Badf));
        let invalid = trap(BadCall::InvalidValue);
        assert_eq!(host.fd_seek(memory, 0, 0, 3, 8), invalid);
        assert_eq!(host.fd_advise(memory, 9, 0, 0, 6), invalid);
    }

    #[test]
    fn files_are_read_written_and_sought() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "new");
        let memory = &mut memory;
        memory.put(100, b"hello world");
        memory.iovec(100, 11);
        assert_eq!(host.fd_write(memory, fd, 0, 1, 8), OK);
        assert_eq!(host.fd_tell(memory, fd, 8), OK);
        assert_eq!(memory.u64(8), 11);
        memory.iovec(100, 4);
        assert_eq!(host.fd_pwrite(memory, fd, 0, 1, 6, 8), OK);
        assert_eq!(host.fd_seek(memory, fd, -5, 2, 8), OK);
        assert_eq!(memory.u64(8), 6);
        memory.iovec(200, 50);
        assert_eq!(host.fd_read(memory, fd, 0, 1, 8), OK);
        assert_eq!((memory.u32(8), memory.bytes(200, 5)), (5, &b"helld"[..]));
        assert_eq!(host.fd_read(memory, fd, 0, 1, 8), OK);
        assert_eq!(memory.u32(8), 0);
        assert_eq!(host.fd_pread(memory, fd, 0, 1, 1, 8), OK);
        assert_eq!(memory.u32(8), 10);
        assert_eq!(host.fd_seek(memory, fd, -1, 0, 8), errno(Errno::Inval));
        assert_eq!(host.fd_seek(memory, fd, -20, 1, 8), errno(Errno::Inval));
        assert_eq!(host.fd_seek(memory, fd, i64::MAX, 0, 8), OK);
        assert_eq!(host.fd_allocate(memory, fd, 0, 1), errno(Errno::Notsup));
        assert_eq!(host.fd_close(memory, fd), OK);
        assert_eq!(host.fd_close(memory, fd), errno(Errno::Badf));
    }

    #[test]
    fn appending_ignores_offsets() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "in.txt");
        assert_eq!(host.fd_fdstat_set_flags(&mut memory, fd, 1), OK);
        memory.put(100, b"!?");
        memory.iovec(100, 1);
        assert_eq!(host.fd_write(&mut memory, fd, 0, 1, 8), OK);
        memory.iovec(101, 1);
        assert_eq!(host.fd_pwrite(&mut memory, fd, 0, 1, 0, 8), OK);
        assert_eq!(host.fd_tell(&mut memory, fd, 8), OK);
        assert_eq!(memory.u64(8), 12);
        let files = host.into_outputs().fs.collect_files(|_, _| true);
        assert_eq!(files[0].1, "in the file!?");
    }

    #[test]
    fn bad_buffers_trap_and_change_nothing() {
        let (mut host, mut memory) = host();
        let out = trap(BadCall::OutOfBounds);
        for (address, len) in [(4090, 7), (u32::MAX, 1), (0, 5000)] {
            memory.iovec(address, len);
            for fd in [1, 2] {
                assert_eq!(host.fd_write(&mut memory, fd, 0, 1, 8), out);
            }
            assert_eq!(host.fd_read(&mut memory, 0, 0, 1, 8), out);
        }
        memory.iovec(0, u32::MAX);
        assert_eq!(host.fd_write(&mut memory, 1, 0, 1, 8), errno(Errno::Nomem));
        assert_eq!(host.output(Stream::Stdout), b"");
        memory.iovec(100, 5);
        assert_eq!(host.fd_read(&mut memory, 0, 0, 1, 8), OK);
        assert_eq!(memory.u32(8), 5);
    }
}
