//! How a run is stopped from outside, wherever the guest is.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// The order to stop one run. A guest that computes looks at it each
/// [`TICK`](crate::engine::TICK); one that sleeps is woken.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Stop {
    /// Gives the order.
    pub fn stop(&self) {
        self.stopped.store(true, SeqCst);
        // Whoever has looked at the flag before waits by the time this has the
        // lock, and is woken.
        drop(self.lock.lock());
        self.woken.notify_all();
    }

    /// Whether the order was given.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Waits until that time, or for ever, or for the order.
    pub(super) fn wait_until(&self, time: Option<Instant>) {
        let mut lock = self.lock.lock();
        while !self.is_stopped() {
            match time {
                None => self.woken.wait(&mut lock),
                Some(time) => {
                    if self.woken.wait_until(&mut lock, time).timed_out() {
                        return;
                    }
                }
            }
        }
    }
}
