//! The broker's clock and its source of names.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasipool_shared::ids::{JobId, ProviderId};

/// Reads the time; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    /// Unix time at `started`: what is shown never runs backwards.
    started_unix: Duration,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        let started_unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            started_unix,
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since the start, with their fraction.
    #[must_use]
    pub fn precise_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1e3
    }

    /// Unix time in milliseconds.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        let now = self.started_unix + self.started.elapsed();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    /// Unix time of a reading of [`Clock::precise_ms`], in milliseconds.
    #[must_use]
    pub fn to_unix_ms(&self, precise_ms: f64) -> f64 {
        self.started_unix.as_secs_f64() * 1e3 + precise_ms
    }

    /// A name for a new job.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        JobId::from_parts(self.unix_ms(), random_u128())
    }

    /// A name for a new provider.
    #[must_use]
    pub fn provider_id(&self) -> ProviderId {
        ProviderId::from_parts(self.unix_ms(), random_u128())
    }
}

/// Unix time in milliseconds by the system's clock, which goes on while the
/// machine sleeps and may be set back: for what depends on the date.
#[must_use]
pub fn system_unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// Random bits from the operating system.
///
/// # Panics
/// If the operating system has no randomness: nothing can be safe then.
#[must_use]
pub fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    #[expect(
        clippy::expect_used,
        reason = "without randomness tickets could be guessed"
    )]
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    u128::from_le_bytes(bytes)
}

/// RFC 3339 in UTC, of Unix time in milliseconds.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| format!("{time:.3}"))
        .unwrap_or_default()
}
