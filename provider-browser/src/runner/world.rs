//! Clocks, randomness and sleep: those of the tab, or those of a seed.

use wasipool_wasi::{Seeded, World};

use super::glue;
use crate::js::{monotonic_us, unix_us};

/// What `crypto.getRandomValues` gives at a time.
const RANDOM_BYTES_MAX: usize = 65_536;
/// The clocks of an isolated worker are this coarse, those of others coarser.
const RESOLUTION_NS: u64 = 5_000;

/// Where a guest runs.
#[derive(Debug)]
pub(super) enum TabWorld {
    /// The real one; its monotonic clock starts at 0.
    Real {
        /// When it was made, on the worker's clock.
        started_us: f64,
    },
    /// The same every time.
    Seeded(Seeded),
}

impl TabWorld {
    pub(super) fn new(seed: Option<u64>, index: u32) -> Self {
        match seed {
            Some(seed) => Self::Seeded(Seeded::new(seed, index)),
            None => Self::Real {
                started_us: monotonic_us(),
            },
        }
    }
}

impl World for TabWorld {
    fn monotonic_ns(&mut self) -> u64 {
        match self {
            Self::Real { started_us } => ((monotonic_us() - *started_us) * 1_000.0) as u64,
            Self::Seeded(world) => world.monotonic_ns(),
        }
    }

    fn wall_ns(&mut self) -> u64 {
        match self {
            Self::Real { .. } => (unix_us() as u64).saturating_mul(1_000),
            Self::Seeded(world) => world.wall_ns(),
        }
    }

    fn both_ns(&mut self) -> (u64, u64) {
        match self {
            Self::Real { .. } => (self.monotonic_ns(), self.wall_ns()),
            Self::Seeded(world) => world.both_ns(),
        }
    }

    fn random(&mut self, into: &mut [u8]) {
        match self {
            Self::Real { .. } => into.chunks_mut(RANDOM_BYTES_MAX).for_each(glue::random),
            Self::Seeded(world) => world.random(into),
        }
    }

    fn sleep_until(&mut self, monotonic_ns: u64) {
        if let Self::Seeded(world) = self {
            return world.sleep_until(monotonic_ns);
        }
        loop {
            let left_ns = monotonic_ns.saturating_sub(self.monotonic_ns());
            if left_ns == 0 {
                return;
            }
            // Where the worker can't sleep it spins: a guest that waits is rare,
            // and its time limit ends this as well.
            glue::sleep(left_ns as f64 / 1e6);
        }
    }

    fn file_ns(&mut self) -> u64 {
        match self {
            Self::Real { .. } => self.wall_ns(),
            Self::Seeded(world) => world.file_ns(),
        }
    }

    fn resolution_ns(&mut self) -> u64 {
        match self {
            Self::Real { .. } => RESOLUTION_NS,
            Self::Seeded(world) => world.resolution_ns(),
        }
    }
}
