//! Randomness and clocks for jobs that ask for the same bytes every time.
//!
//! Both kinds of provider use this code, so that a seed gives the same guest
//! the same bytes anywhere.

/// The generator that a guest's `random_get` reads from: splitmix64 (Steele,
/// Lea and Flood, "Fast splittable pseudorandom number generators", 2014),
/// whose state starts from the job's seed and the task's index.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
    /// Bytes of the last number that nobody has read yet.
    rest: [u8; 8],
    left: usize,
}

impl Random {
    /// The generator of the task with that index in a job of that seed.
    #[must_use]
    pub fn new(seed: u64, index: u32) -> Self {
        let mut random = Self {
            state: seed,
            rest: [0; 8],
            left: 0,
        };
        random.state = random.next_u64() ^ u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        random
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Fills `into`. The bytes do not depend on how many are read at a time.
    pub fn fill(&mut self, into: &mut [u8]) {
        for byte in into {
            if self.left == 0 {
                self.rest = self.next_u64().to_le_bytes();
                self.left = 8;
            }
            *byte = self.rest[8 - self.left];
            self.left -= 1;
        }
    }
}

/// The clocks that such a guest reads, wall clock and monotonic alike: 0 at its
/// start, one microsecond more at each reading, and what it sleeps.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    now_ns: u64,
}

impl Clock {
    /// How much each reading advances it, in nanoseconds.
    pub const STEP_NS: u64 = 1_000;

    /// Reads the clock, in nanoseconds.
    pub fn read_ns(&mut self) -> u64 {
        let now_ns = self.now_ns;
        self.now_ns = now_ns.saturating_add(Self::STEP_NS);
        now_ns
    }

    /// Moves it forward to `until_ns`, if that is ahead.
    pub fn advance_to_ns(&mut self, until_ns: u64) {
        self.now_ns = self.now_ns.max(until_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_do_not_depend_on_how_they_are_read() {
        let mut whole = [0; 29];
        Random::new(7, 3).fill(&mut whole);
        let mut pieces = [0; 29];
        let mut random = Random::new(7, 3);
        for piece in pieces.chunks_mut(3) {
            random.fill(piece);
        }
        assert_eq!(whole, pieces);
        let mut other = [0; 29];
        Random::new(7, 4).fill(&mut other);
        assert_ne!(whole, other, "tasks of a job differ");
    }

    #[test]
    fn the_clock_only_goes_forward() {
        let mut clock = Clock::default();
        assert_eq!(clock.read_ns(), 0);
        clock.advance_to_ns(5_000_000);
        clock.advance_to_ns(1);
        assert_eq!(clock.read_ns(), 5_000_000);
        assert_eq!(clock.read_ns(), 5_001_000);
    }
}
