//! How long to wait before the next try.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Delays that double, each somewhere between half and all of it: a broker
/// that restarts doesn't get all its providers back in the same instant.
#[derive(Debug)]
pub(super) struct Backoff {
    delay: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { delay: FIRST }
    }
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let delay = self.delay;
        self.delay = (delay * 2).min(LONGEST);
        // Each state of the standard library's hasher is random.
        let random = (RandomState::new().hash_one(0) >> 40) as f64 / f64::from(1 << 24);
        delay.mul_f64(0.5 + random / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_a_limit() {
        let mut backoff = Backoff::default();
        let mut expected = FIRST;
        for _ in 0..20 {
            let delay = backoff.next();
            assert!(
                delay >= expected / 2 && delay <= expected,
                "{delay:?} {expected:?}"
            );
            expected = (expected * 2).min(LONGEST);
        }
        assert_eq!(expected, LONGEST);
    }
}
