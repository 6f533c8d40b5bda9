//! The content of blobs: objects in the broker's folder, or in memory.
//!
//! An object is complete or not there, whenever the power goes: it is written
//! under another name and renamed when it is on the disk. Layout:
//! `blobs/<hex>` is content, `tmp/` what isn't complete.

use std::fs;
use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use wasipool_shared::digest::Digest;

use super::StoreError;

const BLOBS: &str = "blobs";
const TEMPORARY: &str = "tmp";
/// Bytes of a piece that is written at a time.
const PIECE: usize = 4 * 1024 * 1024;
/// Pieces that are being written at a time.
const PIECES: usize = 2;

/// Where the content of blobs is; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Names objects that aren't complete.
    number: Arc<AtomicU64>,
}

/// An object that isn't a blob's yet; it goes away with this value.
#[derive(Debug)]
pub(super) struct Temporary {
    objects: Objects,
    path: Option<Path>,
}

/// An object in the making.
pub(super) struct Writing {
    pieces: WriteMultipart,
    temporary: Temporary,
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writing")
            .field("temporary", &self.temporary)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// Uses the folder, from which it removes what isn't complete.
    pub(super) fn open(folder: Option<&FilePath>) -> Result<Self, io::Error> {
        let store: Arc<dyn ObjectStore> = match folder {
            None => Arc::new(InMemory::new()),
            Some(folder) => {
                clear(folder)?;
                let local = LocalFileSystem::new_with_prefix(folder).map_err(io::Error::other)?;
                Arc::new(local.with_fsync(true))
            }
        };
        Ok(Self {
            store,
            number: Arc::default(),
        })
    }

    /// Makes bytes the content of a blob.
    pub(super) async fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), StoreError> {
        self.store.put(&path(digest), bytes.into()).await?;
        Ok(())
    }

    /// Starts an object that comes in pieces.
    pub(super) async fn start(&self) -> Result<Writing, StoreError> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let path = Path::from_iter([TEMPORARY, &number.to_string()]);
        let upload = self.store.put_multipart(&path).await?;
        Ok(Writing {
            pieces: WriteMultipart::new_with_chunk_size(upload, PIECE),
            temporary: Temporary {
                objects: self.clone(),
                path: Some(path),
            },
        })
    }

    /// Makes a complete object the content of a blob.
    pub(super) async fn keep(
        &self,
        digest: Digest,
        mut temporary: Temporary,
    ) -> Result<(), StoreError> {
        if let Some(from) = temporary.path.take() {
            self.store.rename(&from, &path(digest)).await?;
        }
        Ok(())
    }

    /// The content of a blob.
    pub(super) async fn get(&self, digest: Digest) -> Result<Bytes, StoreError> {
        Ok(self.store.get(&path(digest)).await?.bytes().await?)
    }

    /// Removes the content of a blob.
    pub(super) async fn remove(&self, digest: Digest) -> Result<(), StoreError> {
        Ok(self.store.delete(&path(digest)).await?)
    }

    /// The sizes of all blobs that are there.
    pub(super) async fn list(&self) -> Result<Vec<(Digest, u64)>, StoreError> {
        let all = self.store.list(Some(&Path::from(BLOBS)));
        let all: Vec<_> = all.try_collect().await?;
        let digest = |path: &Path| format!("sha256:{}", path.filename()?).parse().ok();
        let blobs = all.into_iter();
        let blobs = blobs.filter_map(|object| Some((digest(&object.location)?, object.size)));
        Ok(blobs.collect())
    }
}

impl Writing {
    pub(super) async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.pieces.wait_for_capacity(PIECES).await?;
        self.pieces.write(piece);
        Ok(())
    }

    /// All of it is there, and on the disk.
    pub(super) async fn finish(self) -> Result<Temporary, StoreError> {
        self.pieces.finish().await?;
        Ok(self.temporary)
    }
}

impl Temporary {
    /// All of it.
    pub(super) async fn bytes(&self) -> Result<Bytes, StoreError> {
        match &self.path {
            Some(path) => Ok(self.objects.store.get(path).await?.bytes().await?),
            None => Ok(Bytes::new()),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let (Some(path), Ok(runtime)) = (self.path.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let store = self.objects.store.clone();
        // It may never have been complete; what stays goes at the next start.
        runtime.spawn(async move { store.delete(&path).await });
    }
}

fn path(digest: Digest) -> Path {
    Path::from_iter([BLOBS, &digest.hex()])
}

/// Removes what a broker that was killed left: in the folder of its own, and
/// beside the blobs, where what is being written has a `#` in its name.
fn clear(folder: &FilePath) -> io::Result<()> {
    let temporary = folder.join(TEMPORARY);
    if temporary.exists() {
        fs::remove_dir_all(&temporary)?;
    }
    let blobs = folder.join(BLOBS);
    fs::create_dir_all(&temporary)?;
    fs::create_dir_all(&blobs)?;
    for entry in fs::read_dir(blobs)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains('#') {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
