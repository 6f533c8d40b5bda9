//! Content that arrives in pieces: hashed on the way, and never more of it in
//! memory than must be.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use wasipool_shared::digest::{Digest, Hasher};

use super::StoreError;
use super::folder::Temporary;
use crate::module::GUESS_BYTES;

/// A blob in the making.
#[derive(Debug)]
pub struct Upload {
    hasher: Hasher,
    size: u64,
    limit: u64,
    head: Vec<u8>,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Memory(BytesMut),
    File {
        file: tokio::fs::File,
        temporary: Temporary,
    },
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
    File(Temporary),
}

impl Upload {
    pub(super) fn in_memory(limit: u64) -> Self {
        Self::new(limit, Sink::Memory(BytesMut::new()))
    }

    pub(super) async fn in_file(limit: u64, temporary: Temporary) -> Result<Self, StoreError> {
        let file = tokio::fs::File::create_new(&temporary.0).await?;
        Ok(Self::new(limit, Sink::File { file, temporary }))
    }

    fn new(limit: u64, sink: Sink) -> Self {
        Self {
            hasher: Hasher::default(),
            size: 0,
            limit,
            head: Vec::new(),
            sink,
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
            Sink::Memory(bytes) => bytes.extend_from_slice(piece),
            Sink::File { file, .. } => file.write_all(piece).await?,
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
            Sink::File {
                mut file,
                temporary,
            } => {
                file.flush().await?;
                file.sync_all().await?;
                Content::File(temporary)
            }
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
            Content::File(temporary) => Ok(tokio::fs::read(&temporary.0).await?.into()),
        }
    }
}
