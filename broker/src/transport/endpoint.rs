//! The UDP socket of the transport, and who is let in.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wasipool_shared::limits::BULK_STREAMS_MAX;
use wasipool_shared::wire;
use wtransport::config::QuicTransportConfig;
use wtransport::endpoint::IncomingSession;
use wtransport::endpoint::endpoint_side::Server;
use wtransport::{Endpoint, Identity, ServerConfig};

use super::carrier::Carrier;
use super::certificate::{self, Announce, Renewal, Step};
use super::door::Door;
use super::session;
use super::tickets::Tickets;
use crate::bans::Bans;
use crate::clock::{Clock, random_u128, system_unix_ms};
use crate::driver::Handle;
use crate::metrics::Metrics;
use crate::store::Store;

/// What an operator decides about the transport.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub address: SocketAddr,
    /// The host that providers are told, if it is not the address.
    pub public_host: Option<String>,
    /// A given certificate and its key, in PEM; without it the broker makes its
    /// own and renews it.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Origins whose pages may join.
    pub origins: BTreeSet<String>,
    /// Silence after which a session is over.
    pub idle: Duration,
    /// Providers that are connected at a time.
    pub providers_max: usize,
    /// Slots that one provider may offer.
    pub slots_max: u16,
    /// How long a new session may take to its first message.
    pub first_message: Duration,
    /// Those that are not let in.
    pub bans: Bans,
    /// Where it counts.
    pub metrics: Metrics,
}

/// Bidirectional streams that a provider may open: its control stream, and one
/// for the HTTP/3 request that opens the session.
const BIDI_STREAMS_MAX: u32 = 4;
/// HTTP/3's own unidirectional streams beside ours.
const H3_UNI_STREAMS: u32 = 4;
/// Socket buffers that hold a burst of one bulk transfer.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// How often a renewal of the certificate is thought of.
const RENEWAL_CHECK: Duration = Duration::from_secs(60 * 60);

/// What all sessions have in common.
pub(super) struct Shared {
    pub(super) driver: Handle,
    pub(super) store: Store,
    pub(super) tickets: Tickets,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) stopping: CancellationToken,
    seats: Arc<Semaphore>,
}

impl Shared {
    /// A place for one provider more, if there is one.
    pub(super) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        self.seats.clone().try_acquire_owned().ok()
    }

    /// Providers of one address are one group, but for this very machine: who
    /// can run several daemons here owns them all anyway.
    pub(super) fn group(&self, address: IpAddr) -> u64 {
        if address.is_loopback() {
            return random_u128() as u64;
        }
        let mut hasher = std::hash::DefaultHasher::new();
        address.hash(&mut hasher);
        hasher.finish()
    }
}

/// The transport, listening.
pub struct Transport {
    endpoint: Endpoint<Server>,
    shared: Arc<Shared>,
    announce: Announce,
    names: Vec<String>,
}

impl Transport {
    /// Binds the socket and makes or loads the certificate.
    ///
    /// # Errors
    /// If the address can't be bound or the certificate can't be had.
    pub async fn bind(
        settings: Settings,
        driver: Handle,
        store: Store,
        tickets: Tickets,
        clock: Clock,
        stopping: CancellationToken,
    ) -> anyhow::Result<Self> {
        let address = settings.address;
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        if !address.ip().is_unspecified() && !address.ip().is_loopback() {
            names.push(address.ip().to_string());
        }
        names.extend(settings.public_host.clone());
        let (identity, hashes) = match &settings.certificate {
            Some((chain, key)) => {
                let identity = Identity::load_pemfiles(chain, key).await.with_context(|| {
                    format!(
                        "the certificate {} or its key {}",
                        chain.display(),
                        key.display()
                    )
                })?;
                (identity, Vec::new())
            }
            None => {
                let identity = certificate::self_made(&names)?;
                let hashes = certificate::hash(&identity).into_iter().collect();
                (identity, hashes)
            }
        };
        let socket = bind_socket(address)
            .with_context(|| format!("the transport can't listen on udp {address}"))?;
        let config = server_config(socket, identity, settings.idle)?;
        let endpoint = Endpoint::server(config)?;
        let local = endpoint.local_addr()?;
        let host = settings
            .public_host
            .clone()
            .unwrap_or_else(|| match local.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
                IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            });
        let url = format!("https://{host}:{}{}", local.port(), wire::PATH);
        let announce = Announce::new(url, hashes);
        let seats = Arc::new(Semaphore::new(settings.providers_max));
        let shared = Shared {
            driver,
            store,
            tickets,
            clock,
            settings,
            stopping,
            seats,
        };
        Ok(Self {
            endpoint,
            shared: Arc::new(shared),
            announce,
            names,
        })
    }

    /// What providers are told.
    #[must_use]
    pub fn announce(&self) -> Announce {
        self.announce.clone()
    }

    /// The way in for those that come by WebSocket.
    #[must_use]
    pub fn door(&self) -> Door {
        Door(self.shared.clone())
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Lets providers in until the broker stops.
    pub async fn run(self) {
        let stopping = self.shared.stopping.clone();
        tokio::select! {
            () = self.accept() => {}
            () = self.renew() => {}
            () = stopping.cancelled() => {}
        }
        self.endpoint.close(0u32.into(), b"the broker stops");
        self.endpoint.wait_idle().await;
    }

    pub(super) async fn accept(&self) {
        loop {
            let incoming = self.endpoint.accept().await;
            let Some(seat) = self.shared.seat() else {
                tracing::warn!(
                    limit = self.shared.settings.providers_max,
                    "no more providers"
                );
                incoming.refuse();
                continue;
            };
            let shared = self.shared.clone();
            tokio::spawn(async move {
                admit(shared, incoming).await;
                drop(seat);
            });
        }
    }

    /// Renews the broker's own certificate; never returns.
    async fn renew(&self) {
        if self.shared.settings.certificate.is_some() {
            return std::future::pending().await;
        }
        let mut renewal = Renewal::new(system_unix_ms());
        let mut next = None;
        let mut check = tokio::time::interval(RENEWAL_CHECK);
        loop {
            check.tick().await;
            while let Some(step) = renewal.due(system_unix_ms()) {
                if let Err(error) = self.renewal_step(step, &mut next) {
                    tracing::error!(%error, "the certificate could not be renewed");
                }
            }
        }
    }

    pub(super) fn renewal_step(
        &self,
        step: Step,
        next: &mut Option<Identity>,
    ) -> anyhow::Result<()> {
        match step {
            Step::Announce => {
                let identity = certificate::self_made(&self.names)?;
                let mut hashes = self.announce.current().certificate_hashes;
                hashes.extend(certificate::hash(&identity));
                self.announce.set_hashes(hashes);
                *next = Some(identity);
                tracing::info!("the next certificate is announced");
            }
            Step::Change => {
                let identity = match next.take() {
                    Some(identity) => identity,
                    None => certificate::self_made(&self.names)?,
                };
                let hashes = certificate::hash(&identity).into_iter().collect();
                let any_port = UdpSocket::bind(("127.0.0.1", 0))?;
                let config = server_config(any_port, identity, self.shared.settings.idle)?;
                // The socket stays: only the certificate changes.
                self.endpoint.reload_config(config, false)?;
                self.announce.set_hashes(hashes);
                tracing::info!("the certificate is renewed");
            }
        }
        Ok(())
    }
}

fn bind_socket(address: SocketAddr) -> std::io::Result<UdpSocket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    // The kernel may give less: then bursts cost losses, nothing else.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn server_config(
    socket: UdpSocket,
    identity: Identity,
    idle: Duration,
) -> anyhow::Result<ServerConfig> {
    let mut quic = QuicTransportConfig::default();
    // Tables in each session are sized by these.
    quic.max_concurrent_bidi_streams(BIDI_STREAMS_MAX.into());
    quic.max_concurrent_uni_streams((BULK_STREAMS_MAX + H3_UNI_STREAMS).into());
    quic.max_idle_timeout(Some(
        idle.try_into()
            .context("the session idle time is too long")?,
    ));
    let config = ServerConfig::builder().with_bind_socket(socket);
    Ok(config.with_custom_transport(identity, quic).build())
}

/// Time that a connection has to become a session.
const HANDSHAKE: Duration = Duration::from_secs(10);

async fn admit(shared: Arc<Shared>, incoming: IncomingSession) {
    let remote = incoming.remote_address();
    let request = match tokio::time::timeout(HANDSHAKE, incoming).await {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => return tracing::debug!(%remote, %error, "no session came about"),
        Err(_) => return tracing::debug!(%remote, "no session came about in time"),
    };
    if request.path() != wire::PATH {
        tracing::debug!(%remote, path = request.path(), "unknown path");
        return request.not_found().await;
    }
    // Daemons send no origin; browsers always do.
    if let Some(origin) = request.origin()
        && !shared.settings.origins.contains(origin)
    {
        tracing::warn!(%remote, origin, "a page of this origin may not join");
        return request.forbidden().await;
    }
    match request.accept().await {
        Ok(connection) => session::run(shared, Carrier::Quic(connection)).await,
        Err(error) => tracing::debug!(%remote, %error, "the session broke at once"),
    }
}
