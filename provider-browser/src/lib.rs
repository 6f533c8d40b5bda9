//! A browser tab as a provider of wasipool.
//!
//! Two kinds of workers run this code: one with the session, and for each slot
//! one with guests. The page itself is plain HTML, CSS and JavaScript in `web/`
//! and only talks to the first kind.
//!
//! ```text
//!   page ──Command──▶ session_main ──ToGuest──▶ guest_main (one for each slot)
//!        ◀──Status───      │       ◀─FromGuest─       │
//!                          │ WebTransport             │ wasm calls
//!                        broker                     guest
//! ```
//!
//! # Layout
//! - `provider`: the worker with the session; [`page`] is what it says to the
//!   page, [`order`] what it says to the other workers.
//! - `connection`: WebTransport or WebSocket. `broker`: tickets and where to connect.
//! - [`guests`]: the workers with guests, seen from the session.
//! - [`runner`]: what happens in such a worker; the guest's imports are those of
//!   `wasipool_wasi`.
//! - `blobs`, `modules`: what is kept, compiled or not.
//! - [`memory_limit`]: how a guest's memory is limited. [`trap`]: what engines
//!   call their traps.
//! - [`features`], [`agent`], [`offer`]: what a browser is and can do.
//! - [`wishes`]: what the volunteer wants.
//! - [`mailbox`]: messages between tasks, without a browser in it.
//!
//! Whatever needs a browser exists only when compiled to wasm; all the rest is
//! tested natively.

pub mod agent;
pub mod features;
pub mod guests;
pub mod mailbox;
pub mod memory_limit;
pub mod offer;
pub mod order;
pub mod page;
pub mod provider;
pub mod runner;
pub mod trap;
pub mod wishes;

#[cfg(target_arch = "wasm32")]
mod blobs;
#[cfg(target_arch = "wasm32")]
mod broker;
#[cfg(target_arch = "wasm32")]
mod connection;
#[cfg(target_arch = "wasm32")]
mod js;
#[cfg(target_arch = "wasm32")]
mod modules;
