//! Bulk streams of one session, both ways.

use bytes::Bytes;
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::WireError;
use wasipool_shared::wire::bulk::{BulkHeader, LENGTH_BYTES};

use super::carrier::{Carrier, Receiver};

/// What goes wrong on a bulk stream.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// What came isn't what the protocol says.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It carries something that a provider doesn't send.
    #[error("a provider doesn't send blobs")]
    Unexpected,
    /// The connection or the stream broke.
    #[error("the stream broke: {0}")]
    Broken(String),
}

/// Bytes that are made room for before any have come.
const FIRST_CHUNK_BYTES: usize = 64 * 1024;

/// Bytes to make room for when that many of `size` have come.
fn room(filled: usize, size: usize) -> usize {
    (filled * 2).max(FIRST_CHUNK_BYTES).min(size)
}

/// Reads one stream to its end.
///
/// # Errors
/// If it breaks or isn't what the protocol says.
pub(super) async fn receive(mut stream: Receiver) -> Result<(BulkHeader, Bytes), BulkError> {
    let mut length = [0; LENGTH_BYTES];
    fill(&mut stream, &mut length).await?;
    let mut content = vec![0; BulkHeader::decode_length(length)?];
    fill(&mut stream, &mut content).await?;
    let header = BulkHeader::decode(&content)?;
    if matches!(header, BulkHeader::Blob(_)) {
        return Err(BulkError::Unexpected);
    }
    let size = usize::try_from(header.size()).unwrap_or(usize::MAX);
    // Room grows with what really comes, not with what was announced.
    let mut body = Vec::with_capacity(size.min(FIRST_CHUNK_BYTES));
    loop {
        let filled = body.len();
        if filled == size {
            break;
        }
        body.resize(room(filled, size), 0);
        let read = stream.read(&mut body[filled..]).await;
        let Some(read) = read.map_err(BulkError::Broken)? else {
            return Err(WireError::Cut.into());
        };
        body.truncate(filled + read);
    }
    match stream.read(&mut [0]).await.map_err(BulkError::Broken)? {
        None | Some(0) => Ok((header, body.into())),
        Some(more) => Err(WireError::Trailing(more).into()),
    }
}

async fn fill(stream: &mut Receiver, into: &mut [u8]) -> Result<(), BulkError> {
    match stream.fill(into).await.map_err(BulkError::Broken)? {
        true => Ok(()),
        false => Err(WireError::Cut.into()),
    }
}

/// Sends a message that is too large for a frame.
///
/// # Errors
/// If the connection breaks.
pub(super) async fn send_message(carrier: &Carrier, encoded: Vec<u8>) -> Result<(), BulkError> {
    let header = BulkHeader::Message {
        size: encoded.len() as u64,
    };
    send(carrier, header, encoded.into()).await
}

/// Sends a blob.
///
/// # Errors
/// If the connection breaks.
pub(super) async fn send_blob(
    carrier: &Carrier,
    blob: BlobRef,
    bytes: Bytes,
) -> Result<(), BulkError> {
    send(carrier, BulkHeader::Blob(blob), bytes).await
}

async fn send(carrier: &Carrier, header: BulkHeader, body: Bytes) -> Result<(), BulkError> {
    let header = header.encode()?;
    let sent = async {
        let mut stream = carrier.open_bulk().await?;
        stream.write(header.into()).await?;
        stream.write(body).await?;
        stream.finish().await
    };
    sent.await.map_err(BulkError::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_grows_with_what_has_come() {
        // Sizes below the first chunk too: those of outputs just over what is
        // sent along.
        for size in [1, 40_000, FIRST_CHUNK_BYTES, 1_000_000] {
            assert_eq!(room(0, size), size.min(FIRST_CHUNK_BYTES));
        }
        assert_eq!(room(100_000, 1_000_000), 200_000);
        assert_eq!(room(900_000, 1_000_000), 1_000_000);
    }
}
