//! The provider as a whole: gets into the pool, serves a session, and gets in
//! again when the session is over.
//!
//! - `session`: one session, from the connection to its end.
//! - `signals`: how a person or a service manager ends the provider.

mod session;
mod signals;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use wasipool_shared::backoff::Backoff;
use wasipool_shared::capacity::Capacity;
use wasipool_shared::limits::GIB;
use wasipool_shared::session::CloseReason;
use wasipool_shared::transport::{ATTEMPT_MS, Choice};

use crate::blobs::Blobs;
use crate::broker::{Broker, Denied};
use crate::config::Config;
use crate::connection::Connection;
use crate::engine::modules::Modules;
use crate::engine::{Engine, Ticker, explain, speed};
use crate::executor::Executor;
use crate::machine;
use crate::sandbox::FilesBudget;
use signals::Signals;

/// Program and version.
pub const AGENT: &str = concat!("wasipool-provider/", env!("CARGO_PKG_VERSION"));

/// Waits between tries to connect, in milliseconds: the first, the longest.
const RETRY_MS: (u32, u32) = (200, 30_000);

/// A random number from 0 to 1, so that many providers don't come back at once.
fn chance() -> f64 {
    // Each state of the standard library's hasher is random.
    (RandomState::new().hash_one(0) >> 40) as f64 / f64::from(1 << 24)
}

/// What stays from one session to the next.
#[derive(Debug)]
struct Provider {
    config: Config,
    name: String,
    broker: Broker,
    capacity: Capacity,
    executor: Executor,
    blobs: Blobs,
    signals: Signals,
    choice: Choice,
    /// The choice's time runs from here.
    since: Instant,
    /// Sessions so far.
    sessions: u64,
    /// Whether the ready line has been printed.
    announced: bool,
}

/// Runs the provider until it is told to end.
///
/// # Errors
/// If it can't start, or the broker doesn't want it.
pub fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no event loop for the network")?;
    runtime.block_on(async { Provider::new(config)?.serve().await })
}

impl Provider {
    fn new(config: Config) -> anyhow::Result<Self> {
        // First: a signal that comes while this starts isn't lost.
        let signals = Signals::new().context("can't listen for signals")?;
        let broker = Broker::new(&config.broker, config.token_file.as_deref())?;
        let slots = config.slots.unwrap_or_else(machine::slots);
        let memory_bytes = config
            .memory
            .unwrap_or_else(|| machine::half_of_memory().max(GIB / 4));
        let ticker = Ticker::start().context("no thread for the clock")?;
        let engine = Engine::new(&ticker, slots.into())
            .map_err(explain)
            .context("wasmtime can't start: is the address space limited (ulimit -v)?")?;
        let cache = config.cache_dir.clone().unwrap_or_else(machine::cache);
        let modules = Arc::new(Modules::new(&engine, Some(&cache)));
        let speed = speed::measure(&engine).map_err(explain)?;
        let capacity = Capacity {
            slots,
            memory_bytes,
            features: engine.features(),
            speed,
        };
        tracing::info!(
            slots, memory_mib = memory_bytes >> 20, speed,
            cache = %cache.display(),
            "starting"
        );
        let files = Arc::new(FilesBudget::new(machine::memory_for_files()));
        let executor = Executor::start(slots.into(), engine, &ticker, &modules, &files)?;
        Ok(Self {
            name: config.name.clone().unwrap_or_else(machine::host_name),
            broker,
            capacity,
            executor,
            blobs: Blobs::new(Some(&cache)),
            signals,
            choice: Choice::new(config.transport),
            since: Instant::now(),
            sessions: 0,
            announced: false,
            config,
        })
    }

    /// Session after session.
    async fn serve(mut self) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(RETRY_MS.0, RETRY_MS.1);
        loop {
            let connected = tokio::select! {
                connected = connect(&self.broker, &mut self.choice, self.since) => connected,
                () = self.signals.next() => return Ok(()),
            };
            match connected {
                Ok((connection, ticket)) => {
                    let ended = self.session(connection, ticket).await;
                    if ended.welcomed {
                        backoff.reset();
                    }
                    match ended.reason {
                        CloseReason::Drained | CloseReason::Left => {
                            tracing::info!("{}", ended.reason);
                            return Ok(());
                        }
                        reason if !reason.may_retry() || self.config.once => {
                            return Err(reason.into());
                        }
                        reason => tracing::warn!("the session is over: {reason}"),
                    }
                }
                Err(error) if error.is::<Denied>() => return Err(error),
                Err(error) => tracing::warn!("not in the pool: {error:#}"),
            }
            let delay = Duration::from_millis(backoff.next_ms(chance()).into());
            tracing::info!(?delay, "trying again");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.signals.next() => return Ok(()),
            }
        }
    }
}

/// How long a connection may take to come about, where there is nothing else to
/// try.
const CONNECT: Duration = Duration::from_secs(10);

/// Connects by what is chosen or, if that doesn't come about, by something else.
async fn connect(
    broker: &Broker,
    choice: &mut Choice,
    since: Instant,
) -> anyhow::Result<(Connection, String)> {
    let now_ms = || u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let transport = broker.transport().await?;
    let ticket = broker.ticket().await?;
    let mut kind = choice.first(now_ms());
    loop {
        let patience = match choice.has_other(kind) {
            true => Duration::from_millis(ATTEMPT_MS.into()),
            false => CONNECT,
        };
        match Connection::dial(kind, &transport, broker.url(), patience).await {
            Ok(connection) => {
                choice.worked(kind);
                return Ok((connection, ticket));
            }
            Err(error) => match choice.failed(kind, now_ms()) {
                Some(other) => {
                    tracing::warn!("{error:#}; is UDP blocked? Trying a {other}");
                    kind = other;
                }
                None => return Err(error),
            },
        }
    }
}
