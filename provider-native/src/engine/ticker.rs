//! The clock that interrupts guests: it advances the epoch of every engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::EngineWeak;

/// How often running guests are looked at: a time limit or an order to stop
/// takes this long at most to take effect.
pub const TICK: Duration = Duration::from_millis(5);
/// Ticks without a guest after which the clock stops until there is one again:
/// an idle machine is not woken 200 times a second.
const IDLE_TICKS: u32 = 100;

/// The one thread that advances all engines' epochs.
#[derive(Debug)]
pub struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    engines: Mutex<Vec<EngineWeak>>,
    running: AtomicUsize,
    parked: AtomicBool,
    ended: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

/// Says that a guest runs, until it is dropped.
#[derive(Debug)]
pub struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the clock; it ends when the last handle is dropped.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared::default());
        let handle = thread::Builder::new().name("epochs".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.tick()
        })?;
        Ok(Arc::new(Self {
            shared,
            thread: handle.thread().clone(),
        }))
    }

    /// Advances that engine's epoch as well, as long as it exists.
    pub(super) fn watch(&self, engine: &wasmtime::Engine) {
        self.shared.engines.lock().push(engine.weak());
    }

    pub(super) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        // Either the clock sees this guest before it parks, or this sees that
        // it has parked: both are in one total order.
        if self.shared.parked.load(SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    fn tick(&self) {
        let mut idle = 0;
        while !self.ended.load(SeqCst) {
            if self.running.load(SeqCst) > 0 {
                idle = 0;
            } else {
                idle += 1;
            }
            if idle > IDLE_TICKS {
                self.parked.store(true, SeqCst);
                if self.running.load(SeqCst) == 0 && !self.ended.load(SeqCst) {
                    thread::park();
                }
                self.parked.store(false, SeqCst);
                continue;
            }
            thread::park_timeout(TICK);
            self.engines.lock().retain(|engine| {
                engine
                    .upgrade()
                    .inspect(wasmtime::Engine::increment_epoch)
                    .is_some()
            });
        }
    }
}
