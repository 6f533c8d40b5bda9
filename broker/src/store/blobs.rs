//! Content by digest, and names that point to it.
//!
//! A blob without a name that no job needs is kept until its room is wanted:
//! inputs of tasks come and go that way.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;

use super::folder::{Folder, Named, Names};
pub use super::index::Pin;
use super::index::{Entry, Index, Reserved};
use super::upload::{Content, Upload, Uploaded};
use super::{StoreError, StoreSettings};
use crate::module::{BlobKind, ModuleInfo};

/// Bytes of blobs that are kept in memory beside their files, so that a module
/// isn't read again for each of many providers.
const CACHE_BYTES: u64 = 256 * MIB;
/// Bytes of one blob that is kept so: one large blob must not cost all others.
const CACHED_BLOB_BYTES_MAX: u64 = CACHE_BYTES / 4;

/// What is known of a blob beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobMeta {
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What it is.
    pub kind: BlobKind,
    /// What it needs and offers if it is a module.
    pub module: Option<ModuleInfo>,
    /// When it came first.
    pub created_unix_ms: u64,
}

/// A blob that is stored now.
#[derive(Debug)]
pub struct PutBlob {
    /// What is known of it.
    pub meta: Arc<BlobMeta>,
    /// Whether it wasn't there before.
    pub new: bool,
    /// Keeps it until it has a name or a job.
    pub pin: Pin,
}

/// A name and the blob that it points to.
#[derive(Debug, Clone)]
pub struct NamedBlob {
    /// The name.
    pub name: String,
    /// The blob.
    pub meta: Arc<BlobMeta>,
    /// Since when it points there.
    pub named_unix_ms: u64,
}

/// Part of the list of names.
#[derive(Debug, Clone, Default)]
pub struct BlobPage {
    /// In the order of names.
    pub items: Vec<NamedBlob>,
    /// The name after which the next page starts, if there is one.
    pub next: Option<String>,
}

/// All blobs.
#[derive(Debug)]
pub struct Blobs {
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) folder: Option<Arc<Folder>>,
    pub(super) cache: Mutex<Lru<Digest, Bytes>>,
    /// Held shared by who writes a blob, alone by who removes some: else one
    /// could remove the file that another just wrote.
    pub(super) files: tokio::sync::RwLock<()>,
    /// Held by who writes the names, so that their order on disk is the one in
    /// memory.
    naming: tokio::sync::Mutex<()>,
    pub(super) stored_bytes_max: u64,
    blob_bytes_max: u64,
}

impl Blobs {
    pub(super) fn open(settings: &StoreSettings) -> io::Result<Self> {
        let folder = settings.folder.as_deref().map(Folder::open).transpose()?;
        let mut index = Index::default();
        if let Some(folder) = &folder {
            for meta in folder.read_metas()? {
                index.stored += meta.size;
                let meta = Arc::new(meta);
                index.blobs.insert(
                    meta.digest,
                    Entry {
                        meta,
                        content: None,
                        pins: 0,
                        names: 0,
                    },
                );
            }
            for (name, named) in folder.read_names()? {
                if let Some(entry) = index.blobs.get_mut(&named.digest) {
                    entry.names += 1;
                    index.names.insert(name, named);
                }
            }
        }
        Ok(Self {
            index: Arc::new(Mutex::new(index)),
            folder: folder.map(Arc::new),
            cache: Mutex::new(Lru::new(CACHE_BYTES)),
            files: tokio::sync::RwLock::default(),
            naming: tokio::sync::Mutex::default(),
            stored_bytes_max: settings.stored_bytes_max,
            blob_bytes_max: settings.blob_bytes_max,
        })
    }

    /// Bytes of all blobs.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.index.lock().stored
    }

    /// Starts a blob that comes in pieces.
    ///
    /// # Errors
    /// If no file can be made for it.
    pub async fn upload(&self) -> Result<Upload, StoreError> {
        match &self.folder {
            Some(folder) => Upload::in_file(self.blob_bytes_max, folder.temporary()).await,
            None => Ok(Upload::in_memory(self.blob_bytes_max)),
        }
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// If there is no room or they can't be written.
    pub async fn put(
        &self,
        bytes: Bytes,
        kind: BlobKind,
        module: Option<ModuleInfo>,
    ) -> Result<PutBlob, StoreError> {
        let size = bytes.len() as u64;
        if size > self.blob_bytes_max {
            return Err(StoreError::BlobTooLarge {
                limit: self.blob_bytes_max,
            });
        }
        let digest = Digest::of(&bytes);
        let content = Content::Memory(bytes);
        self.keep(
            Uploaded {
                digest,
                size,
                head: Vec::new(),
                content,
            },
            kind,
            module,
        )
        .await
    }

    /// Stores what has arrived.
    ///
    /// # Errors
    /// If there is no room or it can't be written.
    pub async fn keep(
        &self,
        uploaded: Uploaded,
        kind: BlobKind,
        module: Option<ModuleInfo>,
    ) -> Result<PutBlob, StoreError> {
        let Uploaded {
            digest,
            size,
            content,
            ..
        } = uploaded;
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        self.make_room(size).await?;
        let reserved = Reserved {
            index: &self.index,
            size,
        };
        let _writing = self.files.read().await;
        let created_unix_ms = unix_ms();
        let meta = Arc::new(BlobMeta {
            digest,
            size,
            kind,
            module,
            created_unix_ms,
        });
        let content = match &self.folder {
            Some(folder) => {
                let (folder, meta) = (folder.clone(), meta.clone());
                let write = move || {
                    let temporary = match content {
                        Content::Memory(bytes) => folder.write_temporary(&bytes)?,
                        Content::File(temporary) => temporary,
                    };
                    folder.keep(digest, &temporary, &meta)
                };
                tokio::task::spawn_blocking(write)
                    .await
                    .map_err(io::Error::other)??;
                None
            }
            None => match content {
                Content::Memory(bytes) => Some(bytes),
                Content::File(file) => Some(tokio::fs::read(&file.0).await?.into()),
            },
        };
        let mut index = self.index.lock();
        // Someone may have stored the same meanwhile.
        let known = self.pin_one(&mut index, digest);
        if known.is_none() {
            let entry = Entry {
                meta: meta.clone(),
                content,
                pins: 1,
                names: 0,
            };
            index.blobs.insert(digest, entry);
        }
        drop(index);
        Ok(match known {
            Some((meta, pin)) => PutBlob {
                meta,
                new: false,
                pin,
            },
            None => {
                reserved.keep();
                let pin = Pin {
                    index: self.index.clone(),
                    digests: vec![digest],
                };
                PutBlob {
                    meta,
                    new: true,
                    pin,
                }
            }
        })
    }

    fn known(&self, digest: Digest) -> Option<PutBlob> {
        let (meta, pin) = self.pin_one(&mut self.index.lock(), digest)?;
        Some(PutBlob {
            meta,
            new: false,
            pin,
        })
    }

    fn pin_one(&self, index: &mut Index, digest: Digest) -> Option<(Arc<BlobMeta>, Pin)> {
        let entry = index.blobs.get_mut(&digest)?;
        entry.pins += 1;
        let pin = Pin {
            index: self.index.clone(),
            digests: vec![digest],
        };
        Some((entry.meta.clone(), pin))
    }

    /// Keeps blobs as long as the value it returns; those that aren't there are
    /// left out.
    #[must_use]
    pub fn pin(&self, mut digests: Vec<Digest>) -> Pin {
        digests.sort_unstable();
        digests.dedup();
        let mut index = self.index.lock();
        digests.retain(|digest| {
            let entry = index.blobs.get_mut(digest);
            entry.is_some_and(|entry| {
                entry.pins += 1;
                true
            })
        });
        drop(index);
        Pin {
            index: self.index.clone(),
            digests,
        }
    }

    /// The blob that a name or a digest stands for, kept as long as the pin.
    pub async fn resolve(&self, reference: &str) -> Option<(Arc<BlobMeta>, Pin)> {
        let mut index = self.index.lock();
        let digest = match reference.parse() {
            Ok(digest) => digest,
            Err(_) => index.names.get(reference)?.digest,
        };
        self.pin_one(&mut index, digest)
    }

    /// The content of a blob.
    pub async fn get(&self, digest: Digest) -> Option<Bytes> {
        if let Some(content) = &self.index.lock().blobs.get(&digest)?.content {
            return Some(content.clone());
        }
        let cached = self.cache.lock().get(&digest).cloned();
        if cached.is_some() {
            return cached;
        }
        let path = self.folder.as_ref()?.blob_path(digest);
        match tokio::fs::read(&path).await {
            Ok(bytes) => {
                let bytes = Bytes::from(bytes);
                let size = bytes.len() as u64;
                if size <= CACHED_BLOB_BYTES_MAX {
                    self.cache.lock().insert(digest, bytes.clone(), size);
                }
                Some(bytes)
            }
            Err(error) => {
                tracing::error!(%digest, %error, "a blob can't be read");
                None
            }
        }
    }

    /// Points a name to a blob; true if it pointed elsewhere or nowhere before.
    ///
    /// # Errors
    /// If the names can't be written.
    pub async fn name(&self, name: &str, digest: Digest) -> Result<bool, StoreError> {
        let _naming = self.naming.lock().await;
        let mut names = self.index.lock().names.clone();
        let named = Named {
            digest,
            created_unix_ms: unix_ms(),
        };
        let before = names.insert(name.to_owned(), named);
        if before.is_some_and(|before| before.digest == digest) {
            return Ok(false);
        }
        self.write_names(&names).await?;
        let mut index = self.index.lock();
        index.names = names;
        index.count_name(digest, 1);
        if let Some(before) = before {
            index.count_name(before.digest, -1);
        }
        Ok(true)
    }

    /// Takes a name away, and the blob with it if nothing else needs it; false
    /// if there is no such name.
    ///
    /// # Errors
    /// If the names can't be written.
    pub async fn delete_name(&self, name: &str) -> Result<bool, StoreError> {
        let removed = {
            let _naming = self.naming.lock().await;
            let mut names = self.index.lock().names.clone();
            let Some(removed) = names.remove(name) else {
                return Ok(false);
            };
            self.write_names(&names).await?;
            let mut index = self.index.lock();
            index.names = names;
            index.count_name(removed.digest, -1);
            removed
        };
        self.remove_unused(|index| {
            let unused = index
                .blobs
                .get(&removed.digest)
                .is_some_and(Entry::is_unused);
            if unused {
                vec![removed.digest]
            } else {
                Vec::new()
            }
        })
        .await;
        Ok(true)
    }

    async fn write_names(&self, names: &Names) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            let (folder, names) = (folder.clone(), names.clone());
            let write = move || folder.write_names(&names);
            tokio::task::spawn_blocking(write)
                .await
                .map_err(io::Error::other)??;
        }
        Ok(())
    }

    /// Names after `after`, at most `limit`.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> BlobPage {
        use std::ops::Bound::{Excluded, Unbounded};
        let index = self.index.lock();
        let from = after.map_or(Unbounded, Excluded);
        let mut page = BlobPage::default();
        for (name, named) in index.names.range::<str, _>((from, Unbounded)) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|last| last.name.clone());
                break;
            }
            if let Some(entry) = index.blobs.get(&named.digest) {
                page.items.push(NamedBlob {
                    name: name.clone(),
                    meta: entry.meta.clone(),
                    named_unix_ms: named.created_unix_ms,
                });
            }
        }
        page
    }
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
