//! The connection to the broker, by WebTransport or WebSocket: the only place
//! that knows them.
//!
//! ```text
//! frames ─▶ writer ─▶ ┐ control stream ┌ ─▶ reader ─▶ ┐
//! bulk ─▶ a task each ┴── connection ──┴ ─▶ a task each ┴─▶ events
//! ```
//!
//! What comes in is handed on through a channel of limited size: if nobody
//! takes it, the transport's flow control holds the broker back.

mod carrier;
mod dial;
mod receive;
mod send;
mod socket;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use wasipool_shared::mux::Mux;
use wasipool_shared::task::BlobRef;
use wasipool_shared::transport::TransportKind;
use wasipool_shared::wire::bulk::BulkHeader;
use wasipool_shared::wire::message::ToProvider;
use wtransport::endpoint::endpoint_side::Client;
use wtransport::{Endpoint, VarInt};

use crate::broker::Transport;
use carrier::Carrier;

/// Events that wait to be taken.
const EVENTS_MAX: usize = 256;
/// How long what was said last may take to reach the broker.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long the outputs of the last tasks may take to reach the broker.
const LAST_OUTPUTS: Duration = Duration::from_secs(60);

/// What has come from the broker.
#[derive(Debug)]
pub enum Event {
    /// A frame of the control stream.
    Frame(Bytes),
    /// A message that was too large for a frame.
    Message(Box<ToProvider>),
    /// A blob, complete and checked.
    Blob(BlobRef, Bytes),
    /// A blob that is not what it should be.
    BadBlob(BlobRef, String),
    /// The connection is gone; nothing follows.
    Closed(String),
}

/// What is to be closed at the end.
enum Line {
    Quic(Endpoint<Client>, wtransport::Connection),
    /// The task moves its messages.
    Socket(Mux, JoinHandle<()>),
}

impl Line {
    fn kind(&self) -> TransportKind {
        match self {
            Self::Quic(..) => TransportKind::WebTransport,
            Self::Socket(..) => TransportKind::WebSocket,
        }
    }

    async fn close(self) {
        match self {
            Self::Quic(endpoint, connection) => {
                connection.close(VarInt::from_u32(0), b"");
                _ = timeout(GOODBYE, endpoint.wait_idle()).await;
            }
            Self::Socket(mux, carrying) => {
                mux.close("closed");
                _ = timeout(GOODBYE, carrying).await;
            }
        }
    }
}

/// A connection to a broker, with its control stream open.
pub struct Connection {
    line: Line,
    frames: UnboundedSender<Bytes>,
    writer: JoinHandle<()>,
    events: mpsc::Receiver<Event>,
    /// Everything else that this connection has going on.
    tasks: JoinSet<()>,
    bulk: send::Bulk,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection")
            .field(&self.line.kind())
            .finish()
    }
}

impl Connection {
    /// Connects to a broker, within a time.
    ///
    /// # Errors
    /// If there is nobody, or it is not who it should be.
    pub async fn dial(
        kind: TransportKind,
        transport: &Transport,
        broker: &str,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let (line, carrier) = match kind {
            TransportKind::WebTransport => {
                let (endpoint, connection) = dial::dial(transport, patience).await?;
                let carrier = Carrier::Quic(connection.clone());
                (Line::Quic(endpoint, connection), carrier)
            }
            TransportKind::WebSocket => {
                let socket = socket::dial(broker, patience).await?;
                let mux = Mux::default();
                let carrying = tokio::spawn(socket::carry(mux.clone(), socket));
                (Line::Socket(mux.clone(), carrying), Carrier::Socket(mux))
            }
        };
        let (sender, receiver) = carrier.control().await?;
        let (event_sender, events) = mpsc::channel(EVENTS_MAX);
        let (frames, frame_receiver) = unbounded_channel();
        let writer = tokio::spawn(send::write_frames(sender, frame_receiver));
        let mut tasks = JoinSet::new();
        tasks.spawn(receive::read_frames(
            carrier.clone(),
            receiver,
            event_sender.clone(),
        ));
        tasks.spawn(receive::accept(carrier.clone(), event_sender));
        let bulk = send::Bulk::new(carrier);
        Ok(Self {
            line,
            frames,
            writer,
            events,
            tasks,
            bulk,
        })
    }

    /// What carries it.
    #[must_use]
    pub fn kind(&self) -> TransportKind {
        self.line.kind()
    }

    /// The next thing that came.
    pub async fn next(&mut self) -> Event {
        let closed = || Event::Closed("the connection is closed".to_owned());
        self.events.recv().await.unwrap_or_else(closed)
    }

    /// The next thing that came, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Sends frames on the control stream.
    pub fn send_frames(&self, frames: Bytes) {
        // A writer that is gone: the end of the connection is an event.
        _ = self.frames.send(frames);
    }

    /// Sends bytes on a stream of their own.
    pub fn send_bulk(&mut self, header: BulkHeader, bytes: Bytes) {
        self.bulk.send(header, bytes);
    }

    /// Waits until everything on streams of their own has arrived.
    pub async fn finish_bulk(&mut self) {
        if timeout(LAST_OUTPUTS, self.bulk.finish()).await.is_err() {
            tracing::warn!("the last outputs didn't reach the broker in time");
        }
    }

    /// Ends the connection in such a way that the broker hears all that was
    /// said, and sees the end at once.
    pub async fn close(self) {
        let Self {
            line,
            frames,
            writer,
            mut tasks,
            ..
        } = self;
        drop(frames);
        if timeout(GOODBYE, writer).await.is_err() {
            tracing::debug!("the last messages didn't reach the broker in time");
        }
        tasks.abort_all();
        line.close().await;
    }
}
