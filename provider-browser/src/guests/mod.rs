//! The workers in which guests run: one for each slot and a spare one.
//!
//! - [`duty`]: the slots, and how much of their time they may work.
//! - [`pool`]: which of them runs what.
//! - `worker`: one of them, seen from the session's worker.
//! - `shared`: what is seen of a guest while it runs.

pub mod duty;
pub mod pool;

#[cfg(target_arch = "wasm32")]
pub(crate) mod shared;
#[cfg(target_arch = "wasm32")]
pub(crate) mod worker;
