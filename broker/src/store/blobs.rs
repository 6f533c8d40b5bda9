//! Content by digest, and names that point to it.
//!
//! A blob without a name that no job needs is kept until its room is wanted:
//! inputs of tasks come and go that way.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;

pub use super::index::Pin;
use super::index::{Entry, Index, Named, Reserved, Room};
use super::objects::Objects;
use super::sql;
use super::upload::{Content, Upload, Uploaded};
use super::writer::Writer;
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
    /// Who brought it first; 0 is nobody in particular.
    #[serde(default)]
    pub owner: u64,
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
    pub(super) objects: Objects,
    pub(super) writer: Arc<Writer>,
    pub(super) cache: Mutex<Lru<Digest, Bytes>>,
    /// Held shared by who writes a blob, alone by who removes some: else one
    /// could remove the file that another just wrote.
    pub(super) files: tokio::sync::RwLock<()>,
    /// Held by who writes the names, so that their order on disk is the one in
    /// memory.
    naming: tokio::sync::Mutex<()>,
    pub(super) room: Room,
    blob_bytes_max: u64,
}

impl Blobs {
    pub(super) fn new(
        settings: &StoreSettings,
        index: Index,
        objects: Objects,
        writer: Arc<Writer>,
    ) -> Self {
        Self {
            index: Arc::new(Mutex::new(index)),
            objects,
            writer,
            cache: Mutex::new(Lru::new(CACHE_BYTES)),
            files: tokio::sync::RwLock::default(),
            naming: tokio::sync::Mutex::default(),
            room: Room {
                all: settings.stored_bytes_max,
                owner: settings.owner_bytes_max,
            },
            blob_bytes_max: settings.blob_bytes_max,
        }
    }

    /// Bytes of all blobs.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.index.lock().stored
    }

    /// Starts a blob that comes in pieces.
    #[must_use]
    pub fn upload(&self) -> Upload {
        Upload::new(self.blob_bytes_max, self.objects.clone())
    }

    /// Stores bytes: returns once they are on the disk.
    ///
    /// # Errors
    /// If there is no room or they can't be written.
    pub async fn put(
        &self,
        bytes: Bytes,
        kind: BlobKind,
        module: Option<ModuleInfo>,
    ) -> Result<PutBlob, StoreError> {
        self.put_for(0, bytes, kind, module).await
    }

    /// The same for bytes that count for an owner, if they weren't there.
    ///
    /// # Errors
    /// If there is no room or they can't be written.
    pub async fn put_for(
        &self,
        owner: u64,
        bytes: Bytes,
        kind: BlobKind,
        module: Option<ModuleInfo>,
    ) -> Result<PutBlob, StoreError> {
        let put = self.put_for_now(owner, bytes, kind, module).await?;
        self.make_durable(put.meta.digest).await?;
        Ok(put)
    }

    /// Stores bytes for what doesn't outlive the broker either: after a restart
    /// they aren't there.
    ///
    /// # Errors
    /// If there is no room or they can't be written.
    pub async fn put_for_now(
        &self,
        owner: u64,
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
        let uploaded = Uploaded {
            digest: Digest::of(&bytes),
            size,
            head: Vec::new(),
            content: Content::Memory(bytes),
        };
        self.keep_for_now(owner, uploaded, kind, module).await
    }

    /// Stores what has arrived: returns once it is on the disk.
    ///
    /// # Errors
    /// If there is no room or it can't be written.
    pub async fn keep(
        &self,
        uploaded: Uploaded,
        kind: BlobKind,
        module: Option<ModuleInfo>,
    ) -> Result<PutBlob, StoreError> {
        let put = self.keep_for_now(0, uploaded, kind, module).await?;
        self.make_durable(put.meta.digest).await?;
        Ok(put)
    }

    /// Lets a blob, if there is one, outlive the broker: returns once that is on
    /// the disk.
    ///
    /// # Errors
    /// If it can't be written.
    pub async fn make_durable(&self, digest: Digest) -> Result<(), StoreError> {
        let meta = match self.index.lock().blobs.get(&digest) {
            Some(entry) if !entry.durable => entry.meta.clone(),
            _ => return Ok(()),
        };
        self.writer
            .change(move |writer| sql::blobs::insert(writer, &meta))
            .await?;
        if let Some(entry) = self.index.lock().blobs.get_mut(&digest) {
            entry.durable = true;
        }
        Ok(())
    }

    /// Stores what has arrived for what doesn't outlive the broker either: after
    /// a restart it isn't there.
    ///
    /// # Errors
    /// If there is no room or it can't be written.
    pub async fn keep_for_now(
        &self,
        owner: u64,
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
        self.make_room(size, owner).await?;
        let reserved = Reserved {
            index: &self.index,
            size,
            owner,
        };
        let _writing = self.files.read().await;
        let created_unix_ms = unix_ms();
        let meta = Arc::new(BlobMeta {
            digest,
            size,
            kind,
            module,
            created_unix_ms,
            owner,
        });
        match content {
            Content::Memory(bytes) => self.objects.put(digest, bytes).await?,
            Content::Object(temporary) => self.objects.keep(digest, temporary).await?,
        }
        let mut index = self.index.lock();
        // Someone may have stored the same meanwhile.
        let known = self.pin_one(&mut index, digest);
        if known.is_none() {
            let entry = Entry {
                meta: meta.clone(),
                durable: false,
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
        if !self.index.lock().blobs.contains_key(&digest) {
            return None;
        }
        let cached = self.cache.lock().get(&digest).cloned();
        if cached.is_some() {
            return cached;
        }
        match self.read(digest).await {
            Ok(bytes) => {
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

    /// What the digest says, whatever became of the file.
    async fn read(&self, digest: Digest) -> Result<Bytes, StoreError> {
        let bytes = self.objects.get(digest).await?;
        let hashed = bytes.clone();
        let found = tokio::task::spawn_blocking(move || Digest::of(&hashed)).await;
        match found {
            Ok(found) if found == digest => Ok(bytes),
            _ => Err(StoreError::Damaged(digest)),
        }
    }

    /// Points a name to a blob; true if it pointed elsewhere or nowhere before.
    ///
    /// # Errors
    /// If that can't be written.
    pub async fn name(&self, name: &str, digest: Digest) -> Result<bool, StoreError> {
        let _naming = self.naming.lock().await;
        let before = self.index.lock().names.get(name).copied();
        if before.is_some_and(|before| before.digest == digest) {
            return Ok(false);
        }
        self.make_durable(digest).await?;
        let named = Named {
            digest,
            created_unix_ms: unix_ms(),
        };
        let key = name.to_owned();
        self.writer
            .change(move |writer| sql::blobs::set_name(writer, &key, named))
            .await?;
        let mut index = self.index.lock();
        index.names.insert(name.to_owned(), named);
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
    /// If that can't be written.
    pub async fn delete_name(&self, name: &str) -> Result<bool, StoreError> {
        let removed = {
            let _naming = self.naming.lock().await;
            let Some(removed) = self.index.lock().names.get(name).copied() else {
                return Ok(false);
            };
            let key = name.to_owned();
            self.writer
                .change(move |writer| sql::blobs::remove_name(writer, &key))
                .await?;
            let mut index = self.index.lock();
            index.names.remove(name);
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
