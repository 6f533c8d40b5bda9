//! How many tasks end in a second, of late.

use std::collections::VecDeque;

/// Looked at, in seconds: what a person takes for "now".
const WINDOW_S: f64 = 5.0;

/// Ended tasks over time.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Seconds, and how many had ended.
    seen: VecDeque<(f64, u64)>,
}

impl Rate {
    /// Takes in how many have ended; returns how many end in a second.
    pub(super) fn note(&mut self, now_s: f64, ended: u64) -> f64 {
        // The last one before the window stays: it is the window's start.
        while self.seen.len() > 1 && self.seen[1].0 <= now_s - WINDOW_S {
            self.seen.pop_front();
        }
        self.seen.push_back((now_s, ended));
        let (first_s, first) = self.seen[0];
        if now_s <= first_s {
            return 0.0;
        }
        let rate = ended.saturating_sub(first) as f64 / (now_s - first_s);
        (rate * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_rises_and_falls() {
        let mut rate = Rate::default();
        assert!(rate.note(10.0, 500) < 0.1, "nothing is known yet");
        assert!((rate.note(11.0, 600) - 100.0).abs() < 0.1);
        assert!((rate.note(15.0, 1_000) - 100.0).abs() < 0.1);
        assert!((rate.note(17.0, 1_000) - 400.0 / 6.0).abs() < 0.1);
        assert!(
            rate.note(22.0, 1_000) < 0.1,
            "nothing for as long as counts"
        );
        assert!(rate.seen.len() <= 4);
    }
}
