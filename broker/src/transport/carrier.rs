//! What a session runs on: a control stream and bulk streams, by WebTransport
//! or over a WebSocket.

use std::net::IpAddr;

use bytes::{Buf as _, Bytes};
use wasipool_shared::mux::{Incoming, Mux, Outgoing};
use wasipool_shared::transport::TransportKind;
use wtransport::{Connection, RecvStream, SendStream};

use super::socket::Socket;

/// Bytes that are taken from a QUIC stream at a time.
const READ_BYTES: usize = 64 * 1024;

/// See the module; clones are the same.
#[derive(Clone)]
pub(super) enum Carrier {
    Quic(Connection),
    Socket(Socket),
}

/// How a session is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was one, and is over.
    Over,
    /// It never was one: no hello, or one against the rules.
    NoHello,
    /// The provider was sent away.
    Refused,
}

impl Carrier {
    pub(super) fn kind(&self) -> TransportKind {
        match self {
            Self::Quic(_) => TransportKind::WebTransport,
            Self::Socket(_) => TransportKind::WebSocket,
        }
    }

    /// Where the provider is.
    pub(super) fn remote(&self) -> IpAddr {
        match self {
            Self::Quic(connection) => connection.remote_address().ip(),
            Self::Socket(socket) => socket.remote(),
        }
    }

    /// The last known round trip, in microseconds; has it measured again.
    pub(super) fn round_trip_us(&self) -> Option<u32> {
        match self {
            Self::Quic(connection) => {
                Some(u32::try_from(connection.rtt().as_micros()).unwrap_or(u32::MAX))
            }
            Self::Socket(socket) => socket.round_trip_us(),
        }
    }

    /// The control stream, once the provider has opened it.
    pub(super) async fn control(&self) -> Result<(Sender, Receiver), String> {
        match self {
            Self::Quic(connection) => {
                let (send, receive) = connection.accept_bi().await.map_err(text)?;
                Ok((Sender::Quic(send), Receiver::Quic(receive)))
            }
            Self::Socket(socket) => {
                let mux = socket.mux();
                Ok((Sender::Control(mux.clone()), Receiver::Control(mux.clone())))
            }
        }
    }

    /// The next bulk stream of the provider's.
    pub(super) async fn accept_bulk(&self) -> Result<Receiver, String> {
        match self {
            Self::Quic(connection) => {
                let stream = connection.accept_uni().await.map_err(text)?;
                Ok(Receiver::Quic(stream))
            }
            Self::Socket(socket) => {
                let stream = socket.mux().accept().await.map_err(text)?;
                Ok(Receiver::Bulk(stream, Bytes::new()))
            }
        }
    }

    /// A new bulk stream to the provider.
    pub(super) async fn open_bulk(&self) -> Result<Sender, String> {
        match self {
            Self::Quic(connection) => {
                let opening = connection.open_uni().await.map_err(text)?;
                Ok(Sender::Quic(opening.await.map_err(text)?))
            }
            Self::Socket(socket) => {
                let stream = socket.mux().open().await.map_err(text)?;
                Ok(Sender::Bulk(stream))
            }
        }
    }

    /// Waits for the end; says why.
    pub(super) async fn closed(&self) -> String {
        match self {
            Self::Quic(connection) => connection.closed().await.to_string(),
            Self::Socket(socket) => socket.mux().closed().await.to_string(),
        }
    }

    pub(super) fn close(&self, ending: Ending, reason: &str) {
        match self {
            Self::Quic(connection) => {
                let code: u32 = match ending {
                    Ending::Over => 0,
                    Ending::NoHello => 1,
                    Ending::Refused => 2,
                };
                connection.close(code.into(), reason.as_bytes());
            }
            Self::Socket(socket) => socket.close(ending, reason),
        }
    }
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}

/// The end of a stream where bytes go in.
pub(super) enum Sender {
    Quic(SendStream),
    Control(Mux),
    Bulk(Outgoing),
}

impl Sender {
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), String> {
        match self {
            Self::Quic(stream) => stream.write_all(&bytes).await.map_err(text),
            Self::Control(mux) => mux.write_control(bytes).await.map_err(text),
            Self::Bulk(stream) => stream.write(bytes).await.map_err(text),
        }
    }

    /// Ends the stream, with everything that was written.
    pub(super) async fn finish(self) -> Result<(), String> {
        match self {
            Self::Quic(mut stream) => stream.finish().await.map_err(text),
            Self::Control(mux) => mux.finish_control().await.map_err(text),
            Self::Bulk(stream) => stream.finish().await.map_err(text),
        }
    }
}

/// The end of a stream where bytes come out.
pub(super) enum Receiver {
    Quic(RecvStream),
    Control(Mux),
    /// What has come and was not taken is kept.
    Bulk(Incoming, Bytes),
}

impl Receiver {
    /// Whatever has come; nothing at the end. An idle stream keeps no buffer.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Quic(stream) => {
                let chunk = stream.quic_stream_mut().read_chunk(READ_BYTES, true).await;
                Ok(chunk.map_err(text)?.map(|chunk| chunk.bytes))
            }
            Self::Control(mux) => mux.read_control().await.map_err(text),
            Self::Bulk(_, rest) if !rest.is_empty() => Ok(Some(core::mem::take(rest))),
            Self::Bulk(stream, _) => stream.read().await.map_err(text),
        }
    }

    /// Fills a part of `into`: says how much, or that the stream has ended.
    pub(super) async fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>, String> {
        if let Self::Quic(stream) = self {
            return stream.read(into).await.map_err(text);
        }
        let Some(mut chunk) = self.chunk().await? else {
            return Ok(None);
        };
        let size = chunk.len().min(into.len());
        chunk.copy_to_slice(&mut into[..size]);
        if let Self::Bulk(_, rest) = self {
            *rest = chunk;
        }
        Ok(Some(size))
    }

    /// Fills all of `into`; false if the stream ends before.
    pub(super) async fn fill(&mut self, into: &mut [u8]) -> Result<bool, String> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(&mut into[filled..]).await? {
                Some(size) => filled += size,
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}
