//! Waiting: sleeps, and descriptors that are always ready.

use super::super::fds::Descriptor;
use super::super::halt::{BadCall, Halt, Step, answer};
use super::super::memory::{
    Budget, GuestMemory, Range, check, le_u32, le_u64, read_aligned, write_aligned, write_u32,
};
use super::super::types::{
    ClockId, Errno, EventType, FD_READWRITE_HANGUP, SUBSCRIPTION_CLOCK_ABSTIME,
};
use super::super::world::World;
use super::Host;

const SUBSCRIPTION_SIZE: u32 = 48;
const EVENT_SIZE: u32 = 32;

/// What a guest waits for.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// A time, from now on.
    Timeout(u64),
    /// A point in time of the monotonic clock.
    Monotonic(u64),
    /// A point in time of the wall clock.
    Wall(u64),
    /// Nothing: the descriptor is ready, with these flags.
    Ready(EventType, u16),
}

impl Wait {
    /// How long until it happens.
    fn left(self, monotonic: u64, wall: u64) -> u64 {
        match self {
            Self::Timeout(timeout) => timeout,
            Self::Monotonic(time) => time.saturating_sub(monotonic),
            Self::Wall(time) => time.saturating_sub(wall),
            Self::Ready(..) => 0,
        }
    }
}

impl<W: World> Host<W> {
    /// Waits until one of the events happens, and tells all that have.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn poll_oneoff(
        &mut self,
        memory: &mut impl GuestMemory,
        subscriptions: u32,
        events: u32,
        count: u32,
        happened: u32,
    ) -> Result<Errno, Halt> {
        answer(self.poll(memory, subscriptions, events, count, happened))
    }

    fn poll(
        &mut self,
        memory: &mut impl GuestMemory,
        subscriptions: u32,
        events: u32,
        count: u32,
        happened: u32,
    ) -> Step<()> {
        if count == 0 {
            // It would wait for ever.
            return Err(Errno::Inval.into());
        }
        let mut budget = Budget::new();
        budget.take(u64::from(count) * u64::from(SUBSCRIPTION_SIZE + EVENT_SIZE))?;
        let range = Range {
            address: subscriptions,
            len: count * SUBSCRIPTION_SIZE,
        };
        check(memory, range)?;
        let mut waits = Vec::with_capacity(count as usize);
        for index in 0..count {
            let address = subscriptions + index * SUBSCRIPTION_SIZE;
            let bytes: [u8; SUBSCRIPTION_SIZE as usize] = read_aligned(memory, address, 8)?;
            waits.push((le_u64(&bytes), self.wait(&bytes)?));
        }
        let (monotonic, wall) = self.world.both_ns();
        // From where the guest believes the clock to be: it may have been told more.
        let monotonic = monotonic.max(self.next_ns);
        let left = waits.iter().map(|(_, wait)| wait.left(monotonic, wall));
        let shortest = left.min().unwrap_or(0);
        if shortest > 0 {
            self.world.sleep_until(monotonic.saturating_add(shortest));
        }
        let mut written = 0;
        for (userdata, wait) in waits {
            if wait.left(monotonic, wall) > shortest {
                continue;
            }
            let event = match wait {
                Wait::Ready(kind, flags) => event(userdata, kind, 1, flags),
                Wait::Timeout(_) | Wait::Monotonic(_) | Wait::Wall(_) => {
                    event(userdata, EventType::Clock, 0, 0)
                }
            };
            let address = events
                .checked_add(written * EVENT_SIZE)
                .ok_or(BadCall::OutOfBounds)?;
            write_aligned(memory, address, 8, &event)?;
            written += 1;
        }
        write_u32(memory, happened, written)
    }

    fn wait(&self, bytes: &[u8; SUBSCRIPTION_SIZE as usize]) -> Step<Wait> {
        let kind = EventType::from_number(bytes[8]).ok_or(Errno::Inval)?;
        let number = le_u32(&bytes[16..]);
        match kind {
            EventType::Clock => {
                let clock = ClockId::from_number(number).ok_or(Errno::Inval)?;
                let timeout = le_u64(&bytes[24..]);
                let flags = u16::from_le_bytes([bytes[40], bytes[41]]);
                let absolute = flags & SUBSCRIPTION_CLOCK_ABSTIME != 0;
                if flags & !SUBSCRIPTION_CLOCK_ABSTIME != 0 {
                    return Err(Errno::Inval.into());
                }
                match clock {
                    ClockId::Monotonic if absolute => Ok(Wait::Monotonic(timeout)),
                    ClockId::Realtime if absolute => Ok(Wait::Wall(timeout)),
                    ClockId::Realtime | ClockId::Monotonic => Ok(Wait::Timeout(timeout)),
                    ClockId::ProcessCputime | ClockId::ThreadCputime => Err(Errno::Inval.into()),
                }
            }
            EventType::FdRead => match self.fds.get(number)? {
                Descriptor::Stdin => Ok(Wait::Ready(kind, 0)),
                Descriptor::File(file) => {
                    let more = file.position < self.fs.size(file.inode);
                    let flags = if more { 0 } else { FD_READWRITE_HANGUP };
                    Ok(Wait::Ready(kind, flags))
                }
                Descriptor::Output(_) | Descriptor::Directory(_) => Err(Errno::Badf.into()),
            },
            EventType::FdWrite => match self.fds.get(number)? {
                Descriptor::Output(_) | Descriptor::File(_) => Ok(Wait::Ready(kind, 0)),
                Descriptor::Stdin | Descriptor::Directory(_) => Err(Errno::Badf.into()),
            },
        }
    }
}

fn event(userdata: u64, kind: EventType, bytes: u64, flags: u16) -> [u8; EVENT_SIZE as usize] {
    let mut event = [0; EVENT_SIZE as usize];
    event[..8].copy_from_slice(&userdata.to_le_bytes());
    event[10] = kind as u8;
    event[16..24].copy_from_slice(&bytes.to_le_bytes());
    event[24..26].copy_from_slice(&flags.to_le_bytes());
    event
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{OK, TestMemory, host, open, trap};
    use super::*;

    const EVENTS: u32 = 512;

    fn subscribe(memory: &mut TestMemory, index: u32, kind: u8, number: u32, rest: (u64, u16)) {
        let at = index * SUBSCRIPTION_SIZE;
        memory.put(at, &u64::from(index + 100).to_le_bytes());
        memory.put(at + 8, &[kind]);
        memory.put(at + 16, &number.to_le_bytes());
        memory.put(at + 24, &rest.0.to_le_bytes());
        memory.put(at + 40, &rest.1.to_le_bytes());
    }

    #[test]
    fn the_first_time_ends_the_sleep() {
        let (mut host, mut memory) = host();
        subscribe(&mut memory, 0, 0, 1, (500, 0));
        subscribe(&mut memory, 1, 0, 0, (200, 0));
        subscribe(&mut memory, 2, 0, 1, (1_200, 1));
        subscribe(&mut memory, 3, 0, 0, (5_150, 1));
        assert_eq!(host.poll_oneoff(&mut memory, 0, EVENTS, 3, 1000), OK);
        assert_eq!(memory.u32(1000), 2);
        assert_eq!(memory.u64(EVENTS), 101);
        assert_eq!(memory.u64(EVENTS + 32), 102);
        assert_eq!(host.world.monotonic, 1_200);
        // The wall clock has moved past the fourth's time.
        assert_eq!(host.poll_oneoff(&mut memory, 144, EVENTS, 1, 1000), OK);
        assert_eq!(host.world.monotonic, 1_200);
        assert_eq!(memory.bytes(EVENTS + 8, 4), [0; 4]);
    }

    #[test]
    fn ready_descriptors_end_no_sleep_because_there_is_none() {
        let (mut host, mut memory) = host();
        let fd = open(&mut host, &mut memory, "empty");
        subscribe(&mut memory, 0, 0, 1, (500, 0));
        subscribe(&mut memory, 1, 1, 0, (0, 0));
        subscribe(&mut memory, 2, 2, 1, (0, 0));
        subscribe(&mut memory, 3, 1, fd, (0, 0));
        assert_eq!(host.poll_oneoff(&mut memory, 0, EVENTS, 4, 1000), OK);
        assert_eq!(memory.u32(1000), 3);
        assert_eq!(host.world.monotonic, 1_000);
        assert_eq!(memory.bytes(EVENTS + 8, 3), [0, 0, 1]);
        assert_eq!(memory.bytes(EVENTS + 32 + 8, 3), [0, 0, 2]);
        assert_eq!(memory.bytes(EVENTS + 64 + 24, 1), [1]);
    }

    #[test]
    fn bad_subscriptions_are_refused() {
        for (kind, number, flags, errno) in [
            (3, 0, 0, Errno::Inval),
            (0, 2, 0, Errno::Inval),
            (0, 9, 0, Errno::Inval),
            (0, 1, 2, Errno::Inval),
            (1, 1, 0, Errno::Badf),
            (1, 3, 0, Errno::Badf),
            (2, 0, 0, Errno::Badf),
            (2, 9, 0, Errno::Badf),
        ] {
            let (mut host, mut memory) = host();
            subscribe(&mut memory, 0, kind, number, (1, flags));
            let result = host.poll_oneoff(&mut memory, 0, EVENTS, 1, 1000);
            assert_eq!(result, Ok(errno), "{kind} {number} {flags}");
        }
        let (mut host, mut memory) = host();
        let m = &mut memory;
        assert_eq!(host.poll_oneoff(m, 0, EVENTS, 0, 8), Ok(Errno::Inval));
        let out = trap(BadCall::OutOfBounds);
        assert_eq!(host.poll_oneoff(m, 4080, EVENTS, 1, 8), out);
        assert_eq!(host.poll_oneoff(m, 0, u32::MAX - 7, 1, 8), out);
        let misaligned = trap(BadCall::Misaligned);
        assert_eq!(host.poll_oneoff(m, 4, EVENTS, 1, 8), misaligned);
        let many = host.poll_oneoff(m, 0, EVENTS, u32::MAX, 8);
        assert_eq!(many, Ok(Errno::Nomem));
    }
}
