//! Blobs: those in use in memory, all others in the cache of the origin, where
//! they outlive the tab.

use core::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasipool_shared::task::BlobRef;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Cache, Request, Response};

use crate::connection::digest;
use crate::js::scope;

const CACHE: &str = "wasipool-blobs-1";
/// Bytes of blobs that stay in memory though no task needs them.
const MEMORY_BYTES: u64 = 256 * MIB;

/// Where a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Located {
    /// In memory, pinned.
    Here,
    /// In the cache of the origin, it seems: whoever was given to
    /// [`Blobs::locate`] is told.
    Looking,
    /// Nowhere.
    Missing,
}

/// See the module.
pub(crate) struct Blobs {
    memory: Lru<Digest, Uint8Array>,
    disk: Option<Disk>,
}

impl Blobs {
    /// Looks for what earlier tabs have left.
    pub(crate) async fn open() -> Self {
        Self {
            memory: Lru::new(MEMORY_BYTES),
            disk: Disk::open().await.ok(),
        }
    }

    /// Looks for a blob; `found` gets it if it has to be read first.
    pub(crate) fn locate(
        &mut self,
        blob: BlobRef,
        found: impl FnOnce(Option<Uint8Array>) + 'static,
    ) -> Located {
        if self.memory.pin(&blob.digest) {
            return Located::Here;
        }
        let Some(disk) = &self.disk else {
            return Located::Missing;
        };
        if !disk.known.borrow().contains(&blob.digest) {
            return Located::Missing;
        }
        let disk = disk.clone();
        spawn_local(async move { found(disk.read(blob.digest).await) });
        Located::Looking
    }

    /// Keeps a blob that was checked; until it is released in any case.
    pub(crate) fn keep(&mut self, key: Digest, bytes: &Uint8Array, fresh: bool) {
        self.memory
            .insert_pinned(key, bytes.clone(), bytes.length().into());
        if let Some(disk) = &self.disk
            && fresh
        {
            let (disk, bytes) = (disk.clone(), bytes.clone());
            spawn_local(async move { disk.write(key, &bytes).await });
        }
    }

    /// A blob that is in memory.
    pub(crate) fn get(&mut self, digest: &Digest) -> Option<Uint8Array> {
        self.memory.get(digest).cloned()
    }

    /// No task needs that blob any more.
    pub(crate) fn release(&mut self, digest: &Digest) {
        self.memory.unpin(digest);
    }

    /// No task needs any blob any more.
    pub(crate) fn release_all(&mut self) {
        self.memory.unpin_all();
    }
}

/// The cache of the origin.
#[derive(Clone)]
struct Disk {
    cache: Cache,
    known: Rc<RefCell<HashSet<Digest>>>,
}

impl Disk {
    async fn open() -> Result<Self, JsValue> {
        let caches = scope().caches()?;
        let cache: Cache = JsFuture::from(caches.open(CACHE)).await?.unchecked_into();
        let keys: Array = JsFuture::from(cache.keys()).await?.unchecked_into();
        let known = keys.iter().filter_map(|key| {
            let url = key.unchecked_into::<Request>().url();
            format!("sha256:{}", url.rsplit('/').next()?).parse().ok()
        });
        Ok(Self {
            known: Rc::new(RefCell::new(known.collect())),
            cache,
        })
    }

    /// A blob, if it is there and still what it was.
    async fn read(&self, key: Digest) -> Option<Uint8Array> {
        let found = self.try_read(key).await.ok().flatten();
        if found.is_none() {
            self.known.borrow_mut().remove(&key);
        }
        found
    }

    async fn try_read(&self, key: Digest) -> Result<Option<Uint8Array>, JsValue> {
        let response = JsFuture::from(self.cache.match_with_str(&url(key))).await?;
        let Ok(response) = response.dyn_into::<Response>() else {
            return Ok(None);
        };
        let buffer = JsFuture::from(response.array_buffer()?).await?;
        let bytes = Uint8Array::new(&buffer);
        Ok((digest(&bytes).await? == key).then_some(bytes))
    }

    /// Puts a blob in. When there is no room all others go: what is needed
    /// again comes again.
    async fn write(&self, key: Digest, bytes: &Uint8Array) {
        if self.try_write(key, bytes).await.is_ok() {
            self.known.borrow_mut().insert(key);
            return;
        }
        let all: Vec<Digest> = self.known.borrow_mut().drain().collect();
        for other in all {
            drop(JsFuture::from(self.cache.delete_with_str(&url(other))).await);
        }
    }

    async fn try_write(&self, key: Digest, bytes: &Uint8Array) -> Result<(), JsValue> {
        let response = Response::new_with_opt_js_u8_array(Some(bytes))?;
        JsFuture::from(self.cache.put_with_str(&url(key), &response)).await?;
        Ok(())
    }
}

/// A name for the cache; nothing is ever fetched from there.
fn url(digest: Digest) -> String {
    format!("/cached-blob/{}", digest.hex())
}
