//! The WebTransport connection: the only place that knows it.
//!
//! ```text
//! frames ─▶ writer ─▶ ┐ control stream ┌ ─▶ reader ─▶ ┐
//! bulk ─▶ a task each ┴── connection ──┴ ─▶ a task each ┴─▶ events
//! ```
//!
//! What comes in is handed on through a channel of limited size: if nobody
//! takes it, QUIC's flow control holds the broker back.

mod dial;
mod receive;
mod send;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::bulk::BulkHeader;
use wasipool_shared::wire::message::ToProvider;
use wtransport::endpoint::endpoint_side::Client;
use wtransport::{Endpoint, VarInt};

use crate::broker::Transport;

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

/// A connection to a broker, with its control stream open.
pub struct Connection {
    endpoint: Endpoint<Client>,
    connection: wtransport::Connection,
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
            .field(&self.connection.remote_address())
            .finish()
    }
}

impl Connection {
    /// Connects to a broker.
    ///
    /// # Errors
    /// If there is nobody, or it is not who it should be.
    pub async fn dial(transport: &Transport) -> anyhow::Result<Self> {
        let (endpoint, connection) = dial::dial(transport).await?;
        let (sender, receiver) = connection.open_bi().await?.await?;
        let (event_sender, events) = mpsc::channel(EVENTS_MAX);
        let (frames, frame_receiver) = unbounded_channel();
        let writer = tokio::spawn(send::write_frames(sender, frame_receiver));
        let mut tasks = JoinSet::new();
        tasks.spawn(receive::read_frames(
            connection.clone(),
            receiver,
            event_sender.clone(),
        ));
        tasks.spawn(receive::accept(connection.clone(), event_sender));
        let bulk = send::Bulk::new(connection.clone());
        Ok(Self {
            endpoint,
            connection,
            frames,
            writer,
            events,
            tasks,
            bulk,
        })
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
            endpoint,
            connection,
            frames,
            writer,
            mut tasks,
            ..
        } = self;
        drop(frames);
        if timeout(GOODBYE, writer).await.is_err() {
            tracing::debug!("the last messages didn't reach the broker in time");
        }
        connection.close(VarInt::from_u32(0), b"");
        tasks.abort_all();
        _ = timeout(GOODBYE, endpoint.wait_idle()).await;
    }
}
