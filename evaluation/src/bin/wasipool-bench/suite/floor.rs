//! What is held against a pool, each in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use wasipool_evaluation::process::Process;
use wasipool_evaluation::programs;

use super::reading::{AT_RATE_CONNECTIONS, payload};
use crate::floors::echo::{self, Echo};
use crate::floors::{READY, WasmFloor, quic};
use crate::load::{self, Expect, Span, Target};

/// What is held against it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Floor {
    /// An HTTP handler that answers at once.
    Http { connections: usize },
    /// The same at a constant rate.
    HttpAtRate { rate: f64 },
    /// HTTP to wasm in one process.
    HttpToWasm { connections: usize },
    /// Wasmtime alone, on as many threads as the pool has slots.
    Wasm,
    /// So many bytes to an echo and back.
    Echo { bytes: usize, over: Over },
    /// How long they take, the median.
    EchoTime { bytes: usize, over: Over },
    /// The guest that computes, run by wasmtime alone on one thread.
    Computing { arguments: &'static [&'static str] },
}

/// What carries an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// As the pool has it.
    WebTransport,
    /// What is below that.
    Quic,
}

impl Floor {
    /// One round of this floor, in a process of its own.
    ///
    /// # Errors
    /// If it doesn't start, or answers wrongly.
    pub(crate) async fn round(&self, slots: usize, time: Duration) -> anyhow::Result<f64> {
        let span = Span {
            warm_up: time / 4,
            measured: time,
        };
        let guest = |name: &str| programs::repository().join(format!("target/guests/{name}.wasm"));
        let folder = tempfile::tempdir().context("no folder for temporary files")?;
        let start = async |words: &[String]| server(words, folder.path()).await;
        let at_once =
            |base: &str| Target::post(base, "/", "text/plain", b"", Expect::Body(Vec::new()));
        match self {
            Self::Http { connections } => {
                let (_server, base) = start(&["http".to_owned()]).await?;
                Ok(load::closed(&at_once(&base), *connections, span)
                    .await?
                    .rate())
            }
            Self::HttpAtRate { rate } => {
                let (_server, base) = start(&["http".to_owned()]).await?;
                let sample = load::open(&at_once(&base), AT_RATE_CONNECTIONS, *rate, span).await?;
                Ok(sample.quantile_ms(0.99))
            }
            Self::HttpToWasm { connections } => {
                let module = guest("noop").display().to_string();
                let words = ["http-to-wasm".to_owned(), module, slots.to_string()];
                let (_server, base) = start(&words).await?;
                Ok(load::closed(&at_once(&base), *connections, span)
                    .await?
                    .rate())
            }
            Self::Echo { bytes, over } => {
                let took = echoes(&start, *over, *bytes, time).await?;
                let total: Duration = took.iter().sum();
                Ok(took.len() as f64 * *bytes as f64 / 1e6 / total.as_secs_f64())
            }
            Self::EchoTime { bytes, over } => {
                let mut took = echoes(&start, *over, *bytes, time).await?;
                took.sort_unstable();
                let median = took.get(took.len() / 2).context("no echo in time")?;
                Ok(median.as_secs_f64() * 1e3)
            }
            Self::Wasm => Ok(wasm(guest("noop"), slots, time, &[]).await?.runs_per_second),
            Self::Computing { arguments } => {
                Ok(wasm(guest("tsp"), 1, time, arguments).await?.median_us / 1e3)
            }
        }
    }
}

/// What each of many echoes of so many bytes took, one after another.
async fn echoes(
    start: &impl AsyncFn(&[String]) -> anyhow::Result<(Process, String)>,
    over: Over,
    bytes: usize,
    time: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let name = match over {
        Over::WebTransport => "echo",
        Over::Quic => "quic-echo",
    };
    let (_server, address) = start(&[name.to_owned()]).await?;
    let echo = match over {
        Over::WebTransport => Echo::WebTransport(echo::connect(&address).await?),
        Over::Quic => Echo::Quic(quic::connect(&address).await?),
    };
    let payload = payload(bytes);
    echo.there_and_back(&payload).await?;
    let (begin, mut took) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        took.push(echo.there_and_back(&payload).await?);
    }
    Ok(took)
}

/// Starts a floor that is a server; gives its address too.
async fn server(words: &[String], folder: &Path) -> anyhow::Result<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("floor").args(words);
    let mut process = Process::start(&words[0], command, folder)?;
    let line = process.line(READY, Duration::from_secs(30)).await?;
    let address = line.trim_start_matches(READY).to_owned();
    Ok((process, address))
}

async fn wasm(
    module: PathBuf,
    threads: usize,
    time: Duration,
    arguments: &[&str],
) -> anyhow::Result<WasmFloor> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command
        .args(["floor", "wasm"])
        .arg(module)
        .arg(threads.to_string());
    command
        .arg(time.as_millis().to_string())
        .arg("--")
        .args(arguments);
    let output = command.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "wasmtime alone failed: {said}");
    serde_json::from_slice(&output.stdout).context("wasmtime alone said nothing")
}
