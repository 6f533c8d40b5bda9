//! What a session runs on: a control stream and bulk streams, by WebTransport
//! or over a WebSocket.

use bytes::{Buf as _, Bytes};
use wasipool_shared::mux::{Incoming, Mux, Outgoing};
use wtransport::error::StreamReadError;
use wtransport::{RecvStream, SendStream};

/// See the module; clones are the same.
#[derive(Debug, Clone)]
pub(super) enum Carrier {
    Quic(wtransport::Connection),
    Socket(Mux),
}

impl Carrier {
    /// Opens the control stream.
    pub(super) async fn control(&self) -> anyhow::Result<(Sender, Receiver)> {
        match self {
            Self::Quic(connection) => {
                let (send, receive) = connection.open_bi().await?.await?;
                Ok((Sender::Quic(send), Receiver::Quic(receive)))
            }
            Self::Socket(mux) => Ok((
                Sender::Control(mux.clone()),
                Receiver::Control(mux.clone(), Bytes::new()),
            )),
        }
    }

    /// The next bulk stream of the broker's.
    pub(super) async fn accept(&self) -> anyhow::Result<Receiver> {
        match self {
            Self::Quic(connection) => Ok(Receiver::Quic(connection.accept_uni().await?)),
            Self::Socket(mux) => Ok(Receiver::Bulk(mux.accept().await?, Bytes::new())),
        }
    }

    /// A new bulk stream to the broker.
    pub(super) async fn open(&self) -> anyhow::Result<Sender> {
        match self {
            Self::Quic(connection) => Ok(Sender::Quic(connection.open_uni().await?.await?)),
            Self::Socket(mux) => Ok(Sender::Bulk(mux.open().await?)),
        }
    }

    /// Waits for the end; says why.
    pub(super) async fn closed(&self) -> String {
        match self {
            Self::Quic(connection) => connection.closed().await.to_string(),
            Self::Socket(mux) => mux.closed().await.to_string(),
        }
    }
}

/// The end of a stream where bytes go in.
pub(super) enum Sender {
    Quic(SendStream),
    Control(Mux),
    Bulk(Outgoing),
}

impl Sender {
    pub(super) async fn write(&mut self, bytes: Bytes) -> anyhow::Result<()> {
        match self {
            Self::Quic(stream) => stream.write_all(&bytes).await?,
            Self::Control(mux) => mux.write_control(bytes).await?,
            Self::Bulk(stream) => stream.write(bytes).await?,
        }
        Ok(())
    }

    /// Ends the stream, with everything that was written.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Quic(mut stream) => stream.finish().await?,
            Self::Control(mux) => mux.finish_control().await?,
            Self::Bulk(stream) => stream.finish().await?,
        }
        Ok(())
    }
}

/// The end of a stream where bytes come out.
pub(super) enum Receiver {
    Quic(RecvStream),
    Control(Mux, Bytes),
    /// What has come and was not taken is kept.
    Bulk(Incoming, Bytes),
}

/// The connection is gone: it knows better why.
#[derive(Debug, thiserror::Error)]
#[error("the connection is gone")]
pub(super) struct Gone;

impl Receiver {
    /// Fills a part of `into`: says how much, or that the stream has ended.
    pub(super) async fn read(&mut self, into: &mut [u8]) -> anyhow::Result<Option<usize>> {
        let rest = match self {
            Self::Quic(stream) => {
                return match stream.read(into).await {
                    Err(StreamReadError::NotConnected) => Err(Gone.into()),
                    other => Ok(other?),
                };
            }
            Self::Control(_, rest) | Self::Bulk(_, rest) if !rest.is_empty() => rest,
            Self::Control(mux, rest) => {
                *rest = mux
                    .read_control()
                    .await
                    .map_err(|_| Gone)?
                    .unwrap_or_default();
                rest
            }
            Self::Bulk(stream, rest) => {
                *rest = stream.read().await.map_err(|_| Gone)?.unwrap_or_default();
                rest
            }
        };
        if rest.is_empty() {
            return Ok(None);
        }
        let length = rest.len().min(into.len());
        rest.copy_to_slice(&mut into[..length]);
        Ok(Some(length))
    }

    /// Fills all of `into`.
    pub(super) async fn fill(&mut self, into: &mut [u8]) -> anyhow::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            let Some(length) = self.read(&mut into[filled..]).await? else {
                anyhow::bail!("it was cut off");
            };
            filled += length;
        }
        Ok(())
    }
}
