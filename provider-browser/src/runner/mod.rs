//! What happens in a worker with a guest: it takes orders, runs one guest after
//! another, and reports.
//!
//! - [`outcome`](mod@outcome): how a guest ended, from all that is known of it.
//! - `entry`: messages in, messages out.
//! - `glue`: the few functions that only JavaScript can be.
//! - `calls`: the guest's imports, and the host that answers them.
//! - `world`: clocks, randomness and sleep of a tab.
//! - `run`: one guest from its instance to its outcome.
//! - `alone`: one guest for a page without a session.
//! - `benchmark`: how fast this worker is.

pub mod outcome;

#[cfg(target_arch = "wasm32")]
mod alone;
#[cfg(target_arch = "wasm32")]
mod benchmark;
#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod glue;
#[cfg(target_arch = "wasm32")]
mod run;
#[cfg(target_arch = "wasm32")]
mod world;
