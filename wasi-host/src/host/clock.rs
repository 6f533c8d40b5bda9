//! Clocks, randomness, and the end of the process.

use super::super::halt::{BadCall, Halt, Step, answer};
use super::super::memory::{GuestMemory, Range, check, write_u64};
use super::super::types::{ClockId, Errno, count};
use super::super::world::World;
use super::{Host, member};

/// Random bytes are made in pieces of this many.
const RANDOM_PIECE: usize = 64 * 1024;

impl<W: World> Host<W> {
    /// Tells the resolution of a clock.
    ///
    /// # Errors
    /// If a pointer or the clock is bad.
    pub fn clock_res_get(
        &mut self,
        memory: &mut impl GuestMemory,
        id: u32,
        resolution: u32,
    ) -> Result<Errno, Halt> {
        let result = match clock(id)? {
            ClockId::Realtime | ClockId::Monotonic => {
                write_u64(memory, resolution, self.world.resolution_ns())
            }
            ClockId::ProcessCputime | ClockId::ThreadCputime => Err(Errno::Badf.into()),
        };
        answer(result)
    }

    /// Tells the time of a clock.
    ///
    /// # Errors
    /// If a pointer or the clock is bad.
    pub fn clock_time_get(
        &mut self,
        memory: &mut impl GuestMemory,
        id: u32,
        _precision: u64,
        time: u32,
    ) -> Result<Errno, Halt> {
        let now = match clock(id)? {
            ClockId::Realtime => self.world.wall_ns(),
            ClockId::Monotonic => self.monotonic_ns(),
            ClockId::ProcessCputime | ClockId::ThreadCputime => return Ok(Errno::Badf),
        };
        answer(write_u64(memory, time, now))
    }

    /// A reading of the monotonic clock. Each is later than the one before, also
    /// where the world's clock is coarse, as it is in a tab: guests divide by the
    /// time between two of them.
    fn monotonic_ns(&mut self) -> u64 {
        let now = self.world.monotonic_ns().max(self.next_ns);
        self.next_ns = now.saturating_add(1);
        now
    }

    /// Fills a buffer with random bytes.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn random_get(
        &mut self,
        memory: &mut impl GuestMemory,
        buf: u32,
        buf_len: u32,
    ) -> Result<Errno, Halt> {
        answer(self.random(memory, buf, buf_len))
    }

    fn random(&mut self, memory: &mut impl GuestMemory, buf: u32, buf_len: u32) -> Step<()> {
        let range = Range {
            address: buf,
            len: buf_len,
        };
        check(memory, range)?;
        let mut done = 0;
        while done < buf_len {
            let piece = RANDOM_PIECE.min((buf_len - done) as usize);
            self.scratch.clear();
            self.scratch.resize(piece, 0);
            self.world.random(&mut self.scratch);
            memory.write(buf + done, &self.scratch)?;
            done += piece as u32;
        }
        Ok(())
    }

    /// Ends the guest.
    ///
    /// # Errors
    /// Always: with [`Halt::Exit`].
    pub fn proc_exit(&mut self, _memory: &mut impl GuestMemory, code: u32) -> Result<Errno, Halt> {
        Err(Halt::Exit(code))
    }

    /// Sends the guest a signal, which isn't supported.
    ///
    /// # Errors
    /// If the signal doesn't exist.
    pub fn proc_raise(
        &mut self,
        _memory: &mut impl GuestMemory,
        signal: u32,
    ) -> Result<Errno, Halt> {
        member(signal, count::SIGNAL)?;
        Ok(Errno::Notsup)
    }

    /// Does nothing: a guest is alone.
    ///
    /// # Errors
    /// Never.
    pub fn sched_yield(&mut self, _memory: &mut impl GuestMemory) -> Result<Errno, Halt> {
        Ok(Errno::Success)
    }
}

fn clock(id: u32) -> Result<ClockId, Halt> {
    ClockId::from_number(id).ok_or(Halt::Trap(BadCall::InvalidValue))
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{OK, host, trap};
    use super::*;

    #[test]
    fn clocks_tell_their_time() {
        let (mut host, mut memory) = host();
        assert_eq!(host.clock_time_get(&mut memory, 0, 0, 8), OK);
        assert_eq!(memory.u64(8), 5_000);
        assert_eq!(host.clock_time_get(&mut memory, 1, 0, 8), OK);
        assert_eq!(memory.u64(8), 1_000);
        assert_eq!(host.clock_res_get(&mut memory, 1, 8), OK);
        assert_eq!(memory.u64(8), 1);
        assert_eq!(host.clock_time_get(&mut memory, 2, 0, 8), Ok(Errno::Badf));
        assert_eq!(host.clock_res_get(&mut memory, 3, 8), Ok(Errno::Badf));
        let invalid = trap(BadCall::InvalidValue);
        assert_eq!(host.clock_time_get(&mut memory, 4, 0, 8), invalid);
        let misaligned = trap(BadCall::Misaligned);
        assert_eq!(host.clock_time_get(&mut memory, 0, 0, 4), misaligned);
    }

    #[test]
    fn a_clock_that_stands_still_still_gives_later_readings() {
        let (mut host, mut memory) = host();
        for wanted in 1_000..1_003 {
            assert_eq!(host.clock_time_get(&mut memory, 1, 0, 8), OK);
            assert_eq!(memory.u64(8), wanted);
        }
        // And what was gained that way isn't taken from the sleep that follows.
        memory.put(64 + 16, &1_u32.to_le_bytes());
        memory.put(64 + 24, &500_u64.to_le_bytes());
        assert_eq!(host.poll_oneoff(&mut memory, 64, 256, 1, 512), OK);
        assert_eq!(host.clock_time_get(&mut memory, 1, 0, 8), OK);
        assert_eq!(memory.u64(8), 1_503);
    }

    #[test]
    fn random_bytes_fill_the_buffer_and_no_more() {
        let (mut host, mut memory) = host();
        assert_eq!(host.random_get(&mut memory, 1, 3), OK);
        assert_eq!(memory.bytes(0, 5), [0, 1, 2, 3, 0]);
        let out = trap(BadCall::OutOfBounds);
        assert_eq!(host.random_get(&mut memory, 4095, 2), out);
        assert_eq!(host.random_get(&mut memory, 0, u32::MAX), out);
    }

    #[test]
    fn the_process_ends_and_gets_no_signals() {
        let (mut host, mut memory) = host();
        assert_eq!(host.proc_exit(&mut memory, 7), Err(Halt::Exit(7)));
        assert_eq!(host.proc_raise(&mut memory, 6), Ok(Errno::Notsup));
        let invalid = trap(BadCall::InvalidValue);
        assert_eq!(host.proc_raise(&mut memory, 31), invalid);
        assert_eq!(host.sched_yield(&mut memory), OK);
    }
}
