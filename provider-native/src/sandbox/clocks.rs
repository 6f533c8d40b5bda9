//! The clocks that a guest reads and sleeps by: the machine's, or those of a
//! seeded task, where time is what the guest makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use wasipool_shared::deterministic::Clock;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Both of a guest's clocks; clones are the same ones.
#[derive(Debug, Clone)]
pub(super) enum Clocks {
    /// The machine's; the monotonic one starts at 0.
    Real { started: Instant },
    /// A seeded task's: one clock in both roles.
    Seeded(Arc<Mutex<Clock>>),
}

impl Clocks {
    pub(super) fn new(seeded: bool) -> Self {
        if seeded {
            Self::Seeded(Arc::default())
        } else {
            Self::Real {
                started: Instant::now(),
            }
        }
    }

    pub(super) fn wall(&self) -> Duration {
        match self {
            Self::Real { .. } => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            Self::Seeded(clock) => Duration::from_nanos(clock.lock().read_ns()),
        }
    }

    pub(super) fn monotonic_ns(&self) -> u64 {
        match self {
            Self::Real { started } => nanos(started.elapsed()),
            Self::Seeded(clock) => clock.lock().read_ns(),
        }
    }

    fn resolution_ns(&self) -> u64 {
        match self {
            Self::Real { .. } => 1,
            Self::Seeded(_) => Clock::STEP_NS,
        }
    }
}

/// Nanoseconds, as WASI counts them.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl HostWallClock for Clocks {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(self.resolution_ns())
    }

    fn now(&self) -> Duration {
        self.wall()
    }
}

impl HostMonotonicClock for Clocks {
    fn resolution(&self) -> u64 {
        self.resolution_ns()
    }

    fn now(&self) -> u64 {
        self.monotonic_ns()
    }
}
