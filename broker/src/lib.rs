//! The broker: takes jobs by HTTP, runs them on the providers that joined by
//! WebTransport.
//!
//! # Layout
//! - [`core`]: decides what runs where; pure, no I/O, no clock.
//! - [`driver`]: the one task that owns the core and carries out what it says.
//! - [`events`]: what happens, for those who watch.
//! - [`transport`]: sessions of providers; the only place that knows QUIC.
//! - [`http`]: the API and the page; the only place that knows axum.
//! - [`store`]: blobs, jobs and results.
//! - [`bans`]: providers that are not let in.
//! - [`metrics`]: what is counted.
//! - [`view`]: what is stored, as the API shows it.
//! - [`module`]: what is looked at in a module before it is accepted.
//! - [`config`], [`clock`]: settings, and the time and names of things.
//!
//! [`serve`] puts them together.

pub mod bans;
pub mod clock;
pub mod config;
pub mod core;
pub mod driver;
pub mod events;
pub mod http;
pub mod metrics;
pub mod module;
pub mod serve;
pub mod store;
pub mod task_request;
pub mod transport;
pub mod view;
