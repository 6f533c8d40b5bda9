//! What happens, for those who watch: server-sent events as they go over the wire.
//!
//! The driver tells a few times a second what has changed, and only while somebody
//! listens. All who listen share what is kept: the last events in a ring, and the
//! state as it is now, which is what comes first and what comes again to who was
//! too slow for the ring. A connection holds a number, never events that wait.
//!
//! - [`pool`]: providers, jobs and the whole in numbers, for everybody.
//! - [`job`]: the tasks of one job.
//! - `pump`: from the driver's updates to events.
//! - `ring`, `frame`, `rate`: the last events, their text, tasks a second.

mod frame;
pub mod job;
pub mod pool;
mod pump;
mod rate;
mod ring;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wasipool_shared::limits::EVENT_STREAMS_MAX;

pub use frame::ALIVE;

use crate::clock::{Clock, random_u128};
use crate::driver::Handle;
use crate::store::Store;

/// Where events come from; cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Part of each event's id: another one at each start.
    boot: String,
    pool: pool::Pool,
    driver: Handle,
    store: Store,
    clock: Clock,
    streams: Arc<Semaphore>,
    stopping: CancellationToken,
}

/// As many streams are open as the broker allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{EVENT_STREAMS_MAX} streams of events or followed results are open, which is the limit")]
pub struct TooManyStreams;

impl Hub {
    /// A hub that ends when `stopping` is cancelled.
    #[must_use]
    pub fn start(driver: Handle, store: Store, clock: Clock, stopping: CancellationToken) -> Self {
        let boot = random_u128() as u64;
        let hub = Self(Arc::new(Shared {
            boot: format!("{boot:016x}"),
            pool: pool::Pool::default(),
            driver,
            store,
            clock,
            streams: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            stopping: stopping.clone(),
        }));
        let pump = pump::run(hub.0.clone());
        tokio::spawn(stopping.run_until_cancelled_owned(pump));
        hub
    }

    /// A place among the open streams, for as long as it is kept.
    ///
    /// # Errors
    /// If there is none.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, TooManyStreams> {
        let streams = self.0.streams.clone();
        streams.try_acquire_owned().map_err(|_| TooManyStreams)
    }
}
