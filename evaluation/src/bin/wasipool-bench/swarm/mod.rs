//! Many simulated providers in one process, each with a WebTransport session of
//! its own: what a pool's size costs the broker.

mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wasipool_evaluation::client::Client;
use wtransport::tls::Sha256Digest;
use wtransport::{ClientConfig, Endpoint};

use crate::floors::echo::socket;
use session::Session;

/// What the process prints before the number of joins a second.
pub(crate) const READY: &str = "swarm ready joins_per_second=";
/// Joins under way at a time.
const AT_A_TIME: usize = 64;
/// Sessions of one UDP socket.
const SESSIONS_A_SOCKET: usize = 500;
/// How long one may take to join.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a swarm is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Swarm {
    /// The broker's HTTP address.
    broker: String,
    /// How many providers.
    providers: usize,
    /// Slots of each.
    #[arg(long, default_value_t = 2)]
    slots: u16,
}

/// Joins, says so, and answers tasks until it is killed.
///
/// # Errors
/// If a provider can't join, or loses its session.
pub(crate) async fn run(swarm: Swarm) -> anyhow::Result<()> {
    let client = Client::new(&swarm.broker)?;
    let transport: serde_json::Value = client.get("/v1/transport").await?.json()?;
    let url = transport["url"]
        .as_str()
        .context("no transport URL")?
        .to_owned();
    let hash = transport["certificate_hashes"][0]["value"]
        .as_str()
        .context("no certificate hash")?;
    let hash = digest(hash)?;
    let start = Instant::now();
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut joining = JoinSet::new();
    let mut endpoint = None;
    for number in 0..swarm.providers {
        if number % SESSIONS_A_SOCKET == 0 {
            let config = ClientConfig::builder()
                .with_bind_socket(socket()?)
                .with_server_certificate_hashes([hash.clone()])
                .build();
            endpoint = Some(Arc::new(Endpoint::client(config)?));
        }
        let endpoint = endpoint.clone().context("no endpoint")?;
        let (client, url, permits) = (client.clone(), url.clone(), Arc::clone(&permits));
        let slots = swarm.slots;
        joining.spawn(async move {
            let _permit = permits.acquire().await?;
            let join = async {
                let ticket: serde_json::Value = client
                    .request(reqwest::Method::POST, "/v1/tickets")
                    .send_ok()
                    .await?
                    .json()?;
                let ticket = ticket["ticket"].as_str().context("no ticket")?.to_owned();
                let connection = endpoint.connect(&url).await?;
                Session::join(connection, ticket, number, slots).await
            };
            let session = tokio::time::timeout(PATIENCE, join)
                .await
                .with_context(|| format!("provider {number} didn't join within {PATIENCE:?}"))??;
            // The endpoint lives as long as its sessions.
            anyhow::Ok((session, endpoint))
        });
    }
    let mut serving = JoinSet::new();
    while let Some(joined) = joining.join_next().await {
        let (session, endpoint) = joined??;
        serving.spawn(async move {
            let served = session.serve().await;
            drop(endpoint);
            served
        });
    }
    let rate = swarm.providers as f64 / start.elapsed().as_secs_f64();
    crate::print(&format!("{READY}{rate:.1}"));
    match serving.join_next().await {
        Some(ended) => {
            ended??;
            anyhow::bail!("the broker ended a session")
        }
        None => Ok(()),
    }
}

fn digest(hexadecimal: &str) -> anyhow::Result<Sha256Digest> {
    let hash: wasipool_shared::digest::Digest = format!("sha256:{hexadecimal}").parse()?;
    Ok(Sha256Digest::new(hash.0))
}
