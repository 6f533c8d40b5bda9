//! What both ends of the wasipool wire have in common.
//!
//! This crate compiles to wasm32 and to the host, and knows neither I/O nor a
//! clock: whoever uses it brings both.
//!
//! # Layout
//! - [`ids`], [`digest`]: names of things.
//! - [`capacity`]: what a provider reports of itself.
//! - [`task`]: what a task is for those who run it, and how it ends.
//! - [`archive`]: files for a guest from zip and tar archives.
//! - [`artifact`]: which of a guest's files are brought back.
//! - [`deterministic`]: randomness and clocks from a seed.
//! - [`transport`]: what carries a session, and which of it is tried.
//! - [`wire`]: messages, frames, bulk streams, versions.
//! - [`mux`]: control stream and bulk streams over one WebSocket.
//! - [`session`]: the provider's side of a session as a state machine.
//! - [`api`]: JSON types of the HTTP API that both a broker and its clients use.
//! - [`lru`], [`backoff`]: what is kept a while longer, how long to wait between tries.
//! - [`limits`]: every limit on what comes from outside.

pub mod api;
pub mod archive;
pub mod artifact;
pub mod backoff;
pub mod capacity;
pub mod deterministic;
pub mod digest;
pub mod ids;
pub mod limits;
pub mod lru;
pub mod mux;
pub mod session;
pub mod task;
pub mod transport;
pub mod wire;
