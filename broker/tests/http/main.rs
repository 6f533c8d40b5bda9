//! The HTTP API of a broker without providers.

#![expect(clippy::unwrap_used, reason = "tests end at the first surprise")]

mod auth;
mod blobs;
mod broker;
mod durable;
mod errors;
mod events;
mod jobs;
mod limits;
mod pool;
mod socket;
mod tokens;
