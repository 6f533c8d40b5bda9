//! Notices that the machine slept.
//!
//! A session has something to do every few seconds. If much more time has passed
//! between two looks, by the clock on the wall, nothing ran in between, and
//! whether the session is still alive has to be found out.

/// Time between two looks that can't come from work alone, in milliseconds.
const GAP_MS: u64 = 8_000;

/// See the module.
#[derive(Debug)]
pub struct Wake {
    looked_ms: u64,
}

impl Wake {
    /// Now it is awake.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self { looked_ms: now_ms }
    }

    /// Whether it slept since the last look. To be asked at least every few
    /// seconds; `now_ms` is time since 1970.
    pub fn slept(&mut self, now_ms: u64) -> bool {
        let gap_ms = now_ms.saturating_sub(self.looked_ms);
        self.looked_ms = now_ms;
        gap_ms >= GAP_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_gap_is_sleep_and_a_clock_set_back_is_not() {
        let mut wake = Wake::new(100_000);
        assert!(!wake.slept(107_999));
        assert!(wake.slept(116_000));
        assert!(!wake.slept(116_001));
        assert!(!wake.slept(1_000));
        assert!(!wake.slept(2_000));
    }
}
