//! What comes from the broker.

use anyhow::{Context as _, ensure};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use wasipool_shared::digest::Hasher;
use wasipool_shared::limits::{BULK_HEADER_BYTES_MAX, FRAME_BYTES_MAX};
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::bulk::{BulkHeader, LENGTH_BYTES};
use wasipool_shared::wire::frame::{FrameReader, decode_one};

use super::Event;
use super::carrier::{Carrier, Gone, Receiver};

/// Bytes that are set aside for a blob before any of it has come: more only as
/// it comes.
const RESERVED_BYTES: usize = 1024 * 1024;

/// Cuts the control stream into frames.
pub(super) async fn read_frames(carrier: Carrier, stream: Receiver, events: Sender<Event>) {
    let end = match read_frames_to_end(stream, &events).await {
        Ok(()) => "the broker ended the session".to_owned(),
        Err(error) if error.is::<Gone>() => carrier.closed().await,
        Err(error) => format!("{error:#}"),
    };
    _ = events.send(Event::Closed(end)).await;
}

async fn read_frames_to_end(mut stream: Receiver, events: &Sender<Event>) -> anyhow::Result<()> {
    let mut reader = FrameReader::default();
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    while let Some(length) = stream.read(&mut buffer).await? {
        reader.feed(&buffer[..length]);
        while let Some(frame) = reader.next_frame()? {
            if events.send(Event::Frame(frame)).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(reader.finish()?)
}

/// Takes the streams that the broker opens.
pub(super) async fn accept(carrier: Carrier, events: Sender<Event>) {
    let mut receiving = JoinSet::new();
    let end = loop {
        match carrier.accept().await {
            Ok(stream) => {
                while receiving.try_join_next().is_some() {}
                let events = events.clone();
                receiving.spawn(async move {
                    match receive(stream).await {
                        Ok(event) => _ = events.send(event).await,
                        Err(error) => tracing::warn!("a bulk stream is no good: {error:#}"),
                    }
                });
            }
            Err(error) => break error.to_string(),
        }
    };
    _ = events.send(Event::Closed(end)).await;
}

async fn receive(mut stream: Receiver) -> anyhow::Result<Event> {
    let mut length = [0; LENGTH_BYTES];
    stream.fill(&mut length).await?;
    let mut header = [0; BULK_HEADER_BYTES_MAX];
    let header = &mut header[..BulkHeader::decode_length(length)?];
    stream.fill(header).await?;
    match BulkHeader::decode(header)? {
        BulkHeader::Blob(blob) => Ok(match read_blob(&mut stream, blob).await {
            Ok(bytes) => Event::Blob(blob, bytes),
            Err(error) => Event::BadBlob(blob, format!("{error:#}")),
        }),
        BulkHeader::Message { size } => {
            let bytes = read_all(&mut stream, size, |_| {}).await?;
            Ok(Event::Message(Box::new(decode_one(&bytes)?)))
        }
        BulkHeader::Output { .. } => anyhow::bail!("an output is not for a provider"),
    }
}

async fn read_blob(stream: &mut Receiver, blob: BlobRef) -> anyhow::Result<Bytes> {
    let mut hasher = Hasher::default();
    let bytes = read_all(stream, blob.size, |piece| hasher.update(piece)).await?;
    ensure!(hasher.finish() == blob.digest, "its digest is another one");
    Ok(bytes)
}

/// All of a stream, which must be of that size.
async fn read_all(
    stream: &mut Receiver,
    size: u64,
    mut seen: impl FnMut(&[u8]),
) -> anyhow::Result<Bytes> {
    let size = usize::try_from(size)?;
    let mut bytes = BytesMut::with_capacity(size.min(RESERVED_BYTES));
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    while let Some(length) = stream.read(&mut buffer).await.context("it was cut off")? {
        ensure!(bytes.len() + length <= size, "it is longer than announced");
        seen(&buffer[..length]);
        bytes.extend_from_slice(&buffer[..length]);
    }
    ensure!(bytes.len() == size, "it is shorter than announced");
    Ok(bytes.freeze())
}
