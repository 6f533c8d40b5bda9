//! The provider: it lives in a worker of its own, runs sessions, and tells the
//! page what goes on.
//!
//! One task owns all state and takes [`Event`]s from a mailbox, one after
//! another; everything else only posts there.
//!
//! - [`failure`]: why there is no session.
//! - `reach`: getting through to the broker.
//! - `life`: from the page's command to the last session.
//! - `serving`: one session; carries out what its state machine decides.
//! - `executor`: runs guests.
//! - `alarm`: the one timer.
//! - [`wake`]: whether the machine slept.

pub mod failure;
pub mod wake;

#[cfg(target_arch = "wasm32")]
mod alarm;
#[cfg(target_arch = "wasm32")]
mod executor;
#[cfg(target_arch = "wasm32")]
mod life;
#[cfg(target_arch = "wasm32")]
mod measure;
#[cfg(target_arch = "wasm32")]
mod reach;
#[cfg(target_arch = "wasm32")]
mod serving;

#[cfg(target_arch = "wasm32")]
pub(crate) use event::Event;

#[cfg(target_arch = "wasm32")]
mod event {
    use js_sys::Uint8Array;
    use wasipool_shared::digest::Digest;
    use wasipool_shared::task::Fault;

    use crate::connection::Heard;
    use crate::guests::pool::WorkerId;
    use crate::modules::{Compiled, ModuleKey};
    use crate::order::FromGuest;
    use crate::page::Command;

    /// What happened.
    pub(crate) enum Event {
        /// The page wants something.
        Page(Command),
        /// A worker says something, or has failed.
        Guest(WorkerId, Result<FromGuest, String>),
        /// A module is compiled, or can't be.
        Compiled(ModuleKey, Result<Compiled, Fault>),
        /// The cache was asked for a blob.
        Found(Digest, Option<Uint8Array>),
        /// The session of this number has brought something.
        Heard(u32, Heard),
        /// A deadline may have passed.
        Alarm,
        /// The machine slept, or the network was away.
        Woke,
    }
}
