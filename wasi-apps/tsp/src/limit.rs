//! How long a search may go on.

use std::time::{Duration, Instant};

/// Steps between two looks at the clock.
const LOOK: u64 = 1024;

/// Steps, time, or both: whichever is used up first.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub steps: Option<u64>,
    pub time: Option<Duration>,
}

/// What is left of it.
pub struct Budget {
    limit: Limit,
    start: Instant,
    steps: u64,
    used: f64,
}

impl Budget {
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            start: Instant::now(),
            steps: 0,
            used: 0.0,
        }
    }

    /// Takes a step, if there is one left.
    pub fn step(&mut self) -> bool {
        if self.limit.steps.is_some_and(|most| self.steps >= most) {
            return false;
        }
        if self.steps.is_multiple_of(LOOK) {
            self.look();
            if self.used >= 1.0 {
                return false;
            }
        }
        self.steps += 1;
        true
    }

    fn look(&mut self) {
        let steps = self
            .limit
            .steps
            .map_or(0.0, |most| self.steps as f64 / most as f64);
        let time = self.limit.time.map_or(0.0, |most| {
            self.start.elapsed().as_secs_f64() / most.as_secs_f64()
        });
        self.used = steps.max(time);
    }

    /// From 0 to 1, as of the last look; without a time limit it depends on the
    /// number of steps alone.
    pub fn used(&self) -> f64 {
        self.used
    }

    pub fn steps(&self) -> u64 {
        self.steps
    }
}
