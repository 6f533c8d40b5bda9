//! Floors: what the machine can do with a part of the way alone. Each runs as a
//! process of its own, as the pool's programs do.

pub(crate) mod echo;
mod http;
pub(crate) mod quic;
mod wasm;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// What a server of a floor prints before its address.
pub(crate) const READY: &str = "floor ready ";

/// A floor to run as this process.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Floor {
    /// An HTTP handler that answers at once.
    Http,
    /// HTTP to wasm in one process.
    HttpToWasm {
        /// The module.
        module: PathBuf,
        /// Threads that run it.
        threads: usize,
    },
    /// A WebTransport endpoint that gives back what it gets.
    Echo,
    /// A QUIC endpoint that gives back what it gets.
    QuicEcho,
    /// Wasmtime alone: runs a module in a loop, and prints how often.
    Wasm {
        /// The module.
        module: PathBuf,
        /// Threads that run it.
        threads: usize,
        /// For how long, in milliseconds.
        milliseconds: u64,
        /// Arguments for the guest.
        arguments: Vec<String>,
    },
}

/// What wasmtime alone reaches.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct WasmFloor {
    /// Runs in a second, all threads together.
    pub(crate) runs_per_second: f64,
    /// The median of one run's time, in microseconds.
    pub(crate) median_us: f64,
    #[serde(skip)]
    times_us: Vec<f64>,
}

/// Runs a floor until it ends by itself or is killed.
///
/// # Errors
/// If it can't.
pub(crate) async fn run(floor: Floor) -> anyhow::Result<()> {
    let ready = |address: &str| crate::print(&format!("{READY}{address}"));
    match floor {
        Floor::Http => http::at_once(ready).await,
        Floor::HttpToWasm { module, threads } => http::to_wasm(module, threads, ready).await,
        Floor::Echo => echo::serve(ready).await,
        Floor::QuicEcho => quic::serve(ready).await,
        Floor::Wasm {
            module,
            threads,
            milliseconds,
            arguments,
        } => {
            let time = Duration::from_millis(milliseconds);
            let reached = wasm::run(&module, threads, time, &arguments)?;
            crate::print(&serde_json::to_string(&reached)?);
            Ok(())
        }
    }
}
