//! What this browser can do.

use js_sys::{Uint8Array, WebAssembly};
use wasipool_shared::capacity::{Capacity, Features};
use web_sys::WorkerNavigator;

use crate::guests::worker::GuestWorker;
use crate::js::scope;
use crate::mailbox::Mailbox;
use crate::order::FromGuest;
use crate::{agent, features, offer};

/// What doesn't change while the tab lives.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) agent: String,
    features: Features,
    speed: u32,
    device_gib: f64,
}

impl Measured {
    /// Measures it, in a worker of its own.
    pub(super) async fn take() -> Result<Self, String> {
        let navigator: WorkerNavigator = scope().navigator();
        let validate =
            |wasm: &[u8]| WebAssembly::validate(&Uint8Array::from(wasm)).unwrap_or(false);
        Ok(Self {
            agent: agent::short(&navigator.user_agent().unwrap_or_default()),
            features: features::detect(validate),
            speed: speed().await?,
            device_gib: navigator.device_memory(),
        })
    }

    pub(super) fn capacity(&self, slots: u16) -> Capacity {
        Capacity {
            slots,
            memory_bytes: offer::memory_bytes(self.device_gib, slots),
            features: self.features,
            speed: self.speed,
        }
    }
}

async fn speed() -> Result<u32, String> {
    let answers = Mailbox::default();
    let tell = answers.clone();
    let worker = GuestWorker::spawn(move |answer| tell.post(answer))?;
    loop {
        match answers.take().await? {
            FromGuest::Ready => worker.benchmark()?,
            FromGuest::Speed(speed) => return speed,
            FromGuest::Started(_) | FromGuest::Report(_) | FromGuest::Compiled(_) => {}
        }
    }
}

/// A number that nobody can tell beforehand.
pub(super) fn random() -> u32 {
    (js_sys::Math::random() * f64::from(u32::MAX)) as u32
}
