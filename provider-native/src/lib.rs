//! The native provider: offers a machine's cores to a wasipool broker and runs
//! the guests that it is given.
//!
//! One thread talks to the network; one thread for each slot runs guests.
//! What is to be done is decided by the session state machine of
//! `wasipool-shared`, which the in-tab provider runs as well.
//!
//! # Layout
//! - [`config`]: command line and environment; [`machine`]: what the machine has.
//! - [`broker`]: the broker's HTTP side: where to connect, tickets.
//! - [`connection`]: the WebTransport connection; the only place that knows it.
//! - [`provider`]: the loop that connects, carries out what the session decides,
//!   and connects again.
//! - [`blobs`]: modules and data that came from the broker.
//! - [`executor`]: the threads that run guests.
//! - [`sandbox`]: one guest's run, from its spec to its result, without any
//!   network: [`sandbox::Runner`].
//! - [`engine`]: wasmtime, set up; compiled modules in memory and on disk.

pub mod blobs;
pub mod broker;
pub mod config;
pub mod connection;
pub mod engine;
pub mod executor;
pub mod machine;
pub mod provider;
pub mod sandbox;
