//! WebTransport alone: bytes go to another process and come back. There and back
//! is the same over QUIC alone.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use wtransport::tls::{Sha256Digest, Sha256DigestFmt};
use wtransport::{ClientConfig, Connection, Endpoint, Identity, ServerConfig};

/// Bytes that are handed on at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// Socket buffers, as the pool has them.
const SOCKET_BYTES: usize = 4 * 1024 * 1024;

/// Gives back on each stream what comes on it; says where, and the hash of its
/// certificate.
///
/// # Errors
/// If it can't listen.
pub(super) async fn serve(ready: impl FnOnce(&str)) -> anyhow::Result<()> {
    let identity = Identity::self_signed(["127.0.0.1"])?;
    let hash = identity.certificate_chain().as_slice()[0]
        .hash()
        .fmt(Sha256DigestFmt::DottedHex);
    let config = ServerConfig::builder()
        .with_bind_socket(socket()?)
        .with_identity(identity)
        .build();
    let endpoint = Endpoint::server(config)?;
    ready(&format!("https://{}/#{hash}", endpoint.local_addr()?));
    loop {
        let incoming = endpoint.accept().await;
        tokio::spawn(async move {
            let connection = incoming.await?.accept().await?;
            echo(&connection).await
        });
    }
}

async fn echo(connection: &Connection) -> anyhow::Result<()> {
    loop {
        let (sender, receiver) = connection.accept_bi().await?;
        tokio::spawn(give_back(sender, receiver));
    }
}

/// Sends what comes until it ends.
pub(super) async fn give_back(
    mut sender: impl AsyncWrite + Unpin,
    mut receiver: impl AsyncRead + Unpin,
) -> anyhow::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match receiver.read(&mut piece).await? {
            0 => break,
            count => sender.write_all(&piece[..count]).await?,
        }
    }
    Ok(sender.shutdown().await?)
}

/// Connects to what [`serve`] said.
///
/// # Errors
/// If that is not possible.
pub(crate) async fn connect(address: &str) -> anyhow::Result<Connection> {
    let (url, hash) = address.split_once('#').context("no certificate hash")?;
    let bytes: Result<Vec<u8>, _> = hash
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect();
    let hash: [u8; 32] = bytes?
        .try_into()
        .map_err(|_| anyhow::anyhow!("no SHA-256: {hash}"))?;
    let config = ClientConfig::builder()
        .with_bind_socket(socket()?)
        .with_server_certificate_hashes([Sha256Digest::new(hash)])
        .build();
    Ok(Endpoint::client(config)?.connect(url).await?)
}

/// A connection to an echo.
#[derive(Debug)]
pub(crate) enum Echo {
    /// As the pool has it.
    WebTransport(Connection),
    /// What is below that.
    Quic(wtransport::quinn::Connection),
}

impl Echo {
    /// How long so many bytes take there and back, one stream for them.
    ///
    /// # Errors
    /// If the connection breaks or other bytes come back.
    pub(crate) async fn there_and_back(&self, bytes: &[u8]) -> anyhow::Result<Duration> {
        let start = Instant::now();
        match self {
            Self::WebTransport(connection) => {
                let (sender, receiver) = connection.open_bi().await?.await?;
                through(sender, receiver, bytes).await?;
            }
            Self::Quic(connection) => {
                let (sender, receiver) = connection.open_bi().await?;
                through(sender, receiver, bytes).await?;
            }
        }
        Ok(start.elapsed())
    }
}

async fn through(
    mut sender: impl AsyncWrite + Unpin,
    mut receiver: impl AsyncRead + Unpin,
    bytes: &[u8],
) -> anyhow::Result<()> {
    let send = async {
        sender.write_all(bytes).await?;
        sender.shutdown().await?;
        anyhow::Ok(())
    };
    let receive = async {
        let mut back = Vec::with_capacity(bytes.len());
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match receiver.read(&mut piece).await? {
                0 => return anyhow::Ok(back),
                count => back.extend_from_slice(&piece[..count]),
            }
        }
    };
    let ((), back) = tokio::try_join!(send, receive)?;
    anyhow::ensure!(back == bytes, "other bytes came back");
    Ok(())
}

/// A UDP socket with buffers that hold a burst.
///
/// # Errors
/// If there is none.
pub(crate) fn socket() -> anyhow::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").context("no UDP port")?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES)?;
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BYTES)?;
    Ok(socket)
}
