//! Content that arrives in pieces: hashed on the way, and never more of it in
//! memory than must be.

use bytes::{Bytes, BytesMut};
use wasipool_shared::digest::{Digest, Hasher};

use super::StoreError;
use super::objects::{Objects, Temporary, Writing};
use crate::module::GUESS_BYTES;

/// Bytes that are gathered before an object is started: most blobs are smaller
/// than that, and are written at once.
const GATHERED: usize = 1024 * 1024;

/// A blob in the making.
#[derive(Debug)]
pub struct Upload {
    objects: Objects,
    hasher: Hasher,
    size: u64,
    limit: u64,
    head: Vec<u8>,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Memory(BytesMut),
    Object(Box<Writing>),
}

/// A blob that has arrived completely and isn't stored yet.
#[derive(Debug)]
pub struct Uploaded {
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its first bytes, enough for [`guess`](crate::module::guess).
    pub head: Vec<u8>,
    pub(super) content: Content,
}

/// Where the bytes of a blob that isn't stored yet are.
#[derive(Debug)]
pub(super) enum Content {
    Memory(Bytes),
    Object(Temporary),
}

impl Upload {
    pub(super) fn new(limit: u64, objects: Objects) -> Self {
        Self {
            objects,
            hasher: Hasher::default(),
            size: 0,
            limit,
            head: Vec::new(),
            sink: Sink::Memory(BytesMut::new()),
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// If that makes it too large, or the piece can't be written.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.size += piece.len() as u64;
        if self.size > self.limit {
            return Err(StoreError::BlobTooLarge { limit: self.limit });
        }
        self.hasher.update(piece);
        let head = GUESS_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..head]);
        match &mut self.sink {
            Sink::Memory(bytes) if bytes.len() + piece.len() <= GATHERED => {
                bytes.extend_from_slice(piece);
            }
            Sink::Memory(bytes) => {
                let mut writing = self.objects.start().await?;
                writing.write(bytes).await?;
                writing.write(piece).await?;
                self.sink = Sink::Object(Box::new(writing));
            }
            Sink::Object(writing) => writing.write(piece).await?,
        }
        Ok(())
    }

    /// All pieces were there.
    ///
    /// # Errors
    /// If they can't be made durable.
    pub async fn finish(self) -> Result<Uploaded, StoreError> {
        let content = match self.sink {
            Sink::Memory(bytes) => Content::Memory(bytes.freeze()),
            Sink::Object(writing) => Content::Object(writing.finish().await?),
        };
        let Self {
            hasher, size, head, ..
        } = self;
        Ok(Uploaded {
            digest: hasher.finish(),
            size,
            head,
            content,
        })
    }
}

impl Uploaded {
    /// All of it, in memory.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn bytes(&self) -> Result<Bytes, StoreError> {
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::Object(temporary) => temporary.bytes().await,
        }
    }
}
