//! What goes to the broker.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use wasipool_shared::limits::BULK_STREAMS_MAX;
use wasipool_shared::wire::bulk::BulkHeader;

use super::carrier::{Carrier, Sender};

/// Frames that one wake-up writes.
const FRAMES_AT_A_TIME: usize = 64;

/// Writes frames as they come; ends the stream when no more will come.
pub(super) async fn write_frames(mut stream: Sender, mut frames: UnboundedReceiver<Bytes>) {
    let mut waiting = Vec::new();
    while frames.recv_many(&mut waiting, FRAMES_AT_A_TIME).await > 0 {
        for frames in waiting.drain(..) {
            // The reader tells of a broken connection.
            if let Err(error) = stream.write(frames).await {
                tracing::debug!(%error, "the control stream can't be written to");
                return;
            }
        }
    }
    _ = stream.finish().await;
}

/// Sends bytes on streams of their own, so many at a time.
#[derive(Debug)]
pub(super) struct Bulk {
    carrier: Carrier,
    permits: Arc<Semaphore>,
    sending: JoinSet<()>,
}

impl Bulk {
    pub(super) fn new(carrier: Carrier) -> Self {
        let permits = Arc::new(Semaphore::new(BULK_STREAMS_MAX as usize));
        Self {
            carrier,
            permits,
            sending: JoinSet::new(),
        }
    }

    pub(super) fn send(&mut self, header: BulkHeader, bytes: Bytes) {
        while self.sending.try_join_next().is_some() {}
        let carrier = self.carrier.clone();
        let permits = Arc::clone(&self.permits);
        self.sending.spawn(async move {
            let Ok(_permit) = permits.acquire().await else {
                return;
            };
            if let Err(error) = send(&carrier, header, bytes).await {
                tracing::debug!(%error, ?header, "bulk data couldn't be sent");
            }
        });
    }

    /// Waits for all of them.
    pub(super) async fn finish(&mut self) {
        while self.sending.join_next().await.is_some() {}
    }
}

async fn send(carrier: &Carrier, header: BulkHeader, bytes: Bytes) -> anyhow::Result<()> {
    let mut stream = carrier.open().await?;
    stream.write(header.encode()?.into()).await?;
    stream.write(bytes).await?;
    stream.finish().await
}
