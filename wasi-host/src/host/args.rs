//! Arguments and environment.

use super::super::halt::{BadCall, Halt, Step, answer};
use super::super::memory::{GuestMemory, write_aligned, write_u32};
use super::super::types::Errno;
use super::super::world::World;
use super::{Host, Strings};

impl<W: World> Host<W> {
    /// Copies the arguments.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn args_get(
        &mut self,
        memory: &mut impl GuestMemory,
        argv: u32,
        argv_buf: u32,
    ) -> Result<Errno, Halt> {
        answer(copy(&self.args, &mut self.scratch, memory, argv, argv_buf))
    }

    /// Tells how many arguments there are, and their bytes.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn args_sizes_get(
        &mut self,
        memory: &mut impl GuestMemory,
        count: u32,
        size: u32,
    ) -> Result<Errno, Halt> {
        answer(sizes(&self.args, memory, count, size))
    }

    /// Copies the environment.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn environ_get(
        &mut self,
        memory: &mut impl GuestMemory,
        environ: u32,
        environ_buf: u32,
    ) -> Result<Errno, Halt> {
        answer(copy(
            &self.env,
            &mut self.scratch,
            memory,
            environ,
            environ_buf,
        ))
    }

    /// Tells how many variables there are, and their bytes.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn environ_sizes_get(
        &mut self,
        memory: &mut impl GuestMemory,
        count: u32,
        size: u32,
    ) -> Result<Errno, Halt> {
        answer(sizes(&self.env, memory, count, size))
    }
}

fn sizes(strings: &Strings, memory: &mut impl GuestMemory, count: u32, size: u32) -> Step<()> {
    let bytes = u32::try_from(strings.bytes.len()).map_err(|_| Errno::Overflow)?;
    write_u32(memory, size, bytes)?;
    write_u32(memory, count, strings.starts.len() as u32)
}

fn copy(
    strings: &Strings,
    scratch: &mut Vec<u8>,
    memory: &mut impl GuestMemory,
    pointers: u32,
    buffer: u32,
) -> Step<()> {
    if strings.starts.is_empty() {
        return Ok(());
    }
    scratch.clear();
    for start in &strings.starts {
        let pointer = buffer.checked_add(*start).ok_or(BadCall::OutOfBounds)?;
        scratch.extend_from_slice(&pointer.to_le_bytes());
    }
    write_aligned(memory, pointers, 4, scratch)?;
    Ok(memory.write(buffer, &strings.bytes)?)
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{OK, host, trap};
    use super::*;

    #[test]
    fn arguments_and_environment_arrive() {
        let (mut host, mut memory) = host();
        assert_eq!(host.args_sizes_get(&mut memory, 0, 4), OK);
        assert_eq!((memory.u32(0), memory.u32(4)), (2, 12));
        assert_eq!(host.args_get(&mut memory, 8, 101), OK);
        assert_eq!((memory.u32(8), memory.u32(12)), (101, 107));
        assert_eq!(memory.bytes(101, 12), b"guest\0-fast\0");
        assert_eq!(host.environ_sizes_get(&mut memory, 0, 4), OK);
        assert_eq!((memory.u32(0), memory.u32(4)), (1, 6));
        assert_eq!(host.environ_get(&mut memory, 8, 200), OK);
        assert_eq!(memory.bytes(memory.u32(8), 6), b"K=a=b\0");
    }

    #[test]
    fn bad_pointers_trap() {
        let (mut host, mut memory) = host();
        let end = memory.size() as u32;
        let out = trap(BadCall::OutOfBounds);
        assert_eq!(host.args_get(&mut memory, end - 4, 0), out);
        assert_eq!(host.args_get(&mut memory, 0, end - 5), out);
        assert_eq!(host.args_get(&mut memory, 0, u32::MAX), out);
        assert_eq!(host.args_sizes_get(&mut memory, 0, end), out);
        let misaligned = trap(BadCall::Misaligned);
        assert_eq!(host.args_get(&mut memory, 2, 0), misaligned);
        assert_eq!(host.environ_sizes_get(&mut memory, 1, 0), misaligned);
    }
}
