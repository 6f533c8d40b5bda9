//! What a load gave: how many, how fast, how long each took.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest response time that is told from longer ones, in microseconds.
const LONGEST_US: u64 = 10 * 60 * 1_000_000;

/// Response times and their count.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    times: Histogram<u64>,
    /// How long the load went on.
    pub(crate) elapsed: Duration,
}

impl Sample {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            times: Histogram::new_with_bounds(1, LONGEST_US, 3).expect("bounds that fit"),
            elapsed: Duration::ZERO,
        }
    }

    /// Adds one response time.
    pub(crate) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US);
        self.times.saturating_record(micros.max(1));
    }

    /// Adds those of another connection.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.times.add(&other.times).expect("the same bounds");
        self.elapsed = self.elapsed.max(other.elapsed);
    }

    /// How many responses there were.
    pub(crate) fn count(&self) -> u64 {
        self.times.len()
    }

    /// Responses in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// The response time below which that part of all lies, in milliseconds.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        self.times.value_at_quantile(part) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_rates() {
        let mut sample = Sample::new();
        for ms in 1..=100 {
            sample.add(Duration::from_millis(ms));
        }
        let mut other = Sample::new();
        other.add(Duration::from_secs(3600));
        other.elapsed = Duration::from_secs(2);
        assert!((sample.quantile_ms(0.5) - 50.0).abs() < 0.1);
        sample.merge(&other);
        assert_eq!(sample.count(), 101);
        assert!((sample.rate() - 50.5).abs() < 0.01);
        assert!(
            sample.quantile_ms(1.0) >= 599_000.0,
            "what is longer counts as the longest"
        );
    }
}
