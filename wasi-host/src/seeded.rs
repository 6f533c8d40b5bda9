//! The world of a deterministic job: the same for every run of a task, on every
//! kind of provider.

use wasipool_shared::deterministic::{Clock, Random};

use super::world::World;

/// Randomness and both clocks of a seed.
#[derive(Debug)]
pub struct Seeded {
    random: Random,
    clock: Clock,
}

impl Seeded {
    /// The world of the task with that index in a job of that seed.
    #[must_use]
    pub fn new(seed: u64, index: u32) -> Self {
        Self {
            random: Random::new(seed, index),
            clock: Clock::default(),
        }
    }
}

impl World for Seeded {
    fn monotonic_ns(&mut self) -> u64 {
        self.clock.read_ns()
    }

    fn wall_ns(&mut self) -> u64 {
        self.clock.read_ns()
    }

    fn both_ns(&mut self) -> (u64, u64) {
        let now_ns = self.clock.read_ns();
        (now_ns, now_ns)
    }

    fn random(&mut self, into: &mut [u8]) {
        self.random.fill(into);
    }

    fn sleep_until(&mut self, monotonic_ns: u64) {
        self.clock.advance_to_ns(monotonic_ns);
    }

    fn file_ns(&mut self) -> u64 {
        0
    }

    fn resolution_ns(&mut self) -> u64 {
        Clock::STEP_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_are_one_that_steps_once_a_reading() {
        let mut world = Seeded::new(7, 0);
        assert_eq!(world.wall_ns(), 0);
        assert_eq!(world.monotonic_ns(), Clock::STEP_NS);
        assert_eq!(world.both_ns(), (2 * Clock::STEP_NS, 2 * Clock::STEP_NS));
        world.sleep_until(1_000_000);
        assert_eq!(world.monotonic_ns(), 1_000_000);
        assert_eq!(world.file_ns(), 0);
    }
}
