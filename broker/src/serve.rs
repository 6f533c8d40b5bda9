//! Puts the broker's parts together and runs them until it is told to stop.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::bans::Bans;
use crate::clock::{Clock, random_u128};
use crate::config::Config;
use crate::driver::QueueLimits;
use crate::driver::run::Driver;
use crate::events::Hub;
use crate::http::{self, AppState, Auth, Limits};
use crate::metrics::Metrics;
use crate::store::{Store, StoreSettings};
use crate::transport::{Settings, Tickets, Transport};

/// Where a broker that is ready can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The HTTP address.
    pub http: SocketAddr,
    /// Where WebTransport is announced, without the path.
    pub transport: String,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "wasipool-broker ready http=http://{} transport={}",
            self.http, self.transport
        )
    }
}

/// Time that requests and sessions have to end when the broker stops.
const STOP: Duration = Duration::from_secs(5);

/// Runs a broker until `stopping`; calls `ready` once it can be reached.
///
/// # Errors
/// If an address, the data folder, a certificate or a token file can't be used.
pub async fn serve(
    config: Config,
    stopping: CancellationToken,
    ready: impl FnOnce(Ready),
) -> anyhow::Result<()> {
    let metrics = Metrics::default();
    let clock = Clock::start();
    let settings = StoreSettings {
        folder: config.data.clone(),
        stored_bytes_max: config.stored_max,
        owner_bytes_max: config.token_stored_max,
        blob_bytes_max: config.blob_max,
        keep: config.keep(),
        metrics: metrics.clone(),
    };
    let store = Store::open(settings)
        .await
        .context("the data folder can't be used")?;
    if config.data.is_none() && !config.ephemeral {
        tracing::warn!(
            "jobs, results and blobs are in memory and end with this process: --data DIR keeps \
             them, --ephemeral says that this is meant"
        );
    }
    let cleaner = {
        let store = store.clone();
        tokio::spawn(async move { store.keep_clean().await })
    };
    let (driver, handle) = Driver::new(
        crate::core::Config {
            trust: config.trust.into(),
            trusted_after: config.trusted_after,
            spot_checks: config.spot_checks,
            seed: random_u128() as u64,
            ..crate::core::Config::default()
        },
        QueueLimits {
            all: config.queued_tasks_max,
            owner: config.token_queued_tasks_max,
        },
        store.clone(),
        metrics.clone(),
        clock,
    );
    let kept = store.clone();
    let driver = tokio::spawn(driver.run());
    let listener = tokio::net::TcpListener::bind(config.http)
        .await
        .with_context(|| format!("HTTP can't listen on tcp {}", config.http))?;
    let http_address = listener.local_addr()?;
    let origins = config.allowed_origins(http_address);
    let tickets = Tickets::new(clock);
    let bans = Bans::open(config.data.clone()).context("the list of bans can't be read")?;
    let settings = Settings {
        address: config.transport,
        public_host: config.public_host.clone(),
        certificate: config
            .certificate
            .clone()
            .zip(config.certificate_key.clone()),
        origins: origins.clone(),
        idle: config.session_idle,
        providers_max: config.providers_max,
        slots_max: config.slots_max,
        first_message: config.first_message_timeout,
        bans: bans.clone(),
        metrics: metrics.clone(),
    };
    let transport = Transport::bind(
        settings,
        handle.clone(),
        store.clone(),
        tickets.clone(),
        clock,
        stopping.clone(),
    )
    .await?;
    let announce = transport.announce();
    let events = Hub::start(handle.clone(), store.clone(), clock, stopping.clone());
    let state = AppState {
        driver: handle,
        events,
        store,
        transport: announce.clone(),
        tickets,
        door: transport.door(),
        bans,
        metrics,
        limits: Limits::from(&config),
        auth: Auth::load(&config, origins)?,
        clock,
        stopping: stopping.clone(),
    };
    let url = announce.current().url;
    let transport_at = url
        .strip_suffix(wasipool_shared::wire::PATH)
        .unwrap_or(&url)
        .to_owned();
    let transport = tokio::spawn(transport.run());
    ready(Ready {
        http: http_address,
        transport: transport_at,
    });
    tracing::info!(http = %http_address, transport = url, "ready");
    http::serve(listener, state, stopping.clone().cancelled_owned()).await?;
    stopping.cancel();
    // What still runs has been told; nobody is waited for long.
    let _ = tokio::time::timeout(STOP, transport).await;
    driver.abort();
    cleaner.abort();
    // What has ended need not run again; what isn't stored by then will.
    if tokio::time::timeout(STOP, kept.flush()).await.is_err() {
        tracing::warn!("not all results could be stored: their tasks run again");
    }
    Ok(())
}
