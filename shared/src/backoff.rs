//! How long to wait before trying again.

/// Waits that double from try to try, each shortened by chance, so that a pool
/// whose broker comes back doesn't come back all at once.
#[derive(Debug, Clone)]
pub struct Backoff {
    first_ms: u32,
    longest_ms: u32,
    tries: u32,
}

impl Backoff {
    /// Waits of up to `first_ms`, twice that, and so on, up to `longest_ms`.
    #[must_use]
    pub fn new(first_ms: u32, longest_ms: u32) -> Self {
        Self {
            first_ms,
            longest_ms,
            tries: 0,
        }
    }

    /// The next wait in milliseconds: half to all of what it could be, as
    /// `chance` (0 to 1) says.
    pub fn next_ms(&mut self, chance: f64) -> u32 {
        let doubled = self.first_ms.saturating_mul(1 << self.tries.min(20));
        self.tries += 1;
        let wait = f64::from(doubled.min(self.longest_ms));
        (wait / 2.0 * (1.0 + chance.clamp(0.0, 1.0))) as u32
    }

    /// It worked: start over the next time.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_over() {
        let mut backoff = Backoff::new(100, 1_000);
        let waits: Vec<_> = (0..6).map(|_| backoff.next_ms(1.0)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(backoff.next_ms(0.0), 500, "chance takes up to a half");
        backoff.reset();
        assert_eq!(backoff.next_ms(1.0), 100);
        for _ in 0..100 {
            assert!(backoff.next_ms(1.0) <= 1_000);
        }
    }
}
