//! Which blobs there are, and what still needs them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wasipool_shared::digest::Digest;

use super::blobs::BlobMeta;

/// Where a name points to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) digest: Digest,
    pub(super) created_unix_ms: u64,
}

/// Names and where they point.
pub(super) type Names = BTreeMap<String, Named>;

/// Blobs that stay as long as this value.
#[derive(Debug)]
pub struct Pin {
    pub(super) index: Arc<Mutex<Index>>,
    pub(super) digests: Vec<Digest>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut index = self.index.lock();
        for digest in &self.digests {
            if let Some(entry) = index.blobs.get_mut(digest) {
                entry.pins -= 1;
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) blobs: HashMap<Digest, Entry>,
    pub(super) names: Names,
    /// Bytes of all blobs, those that are being written among them.
    pub(super) stored: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) meta: Arc<BlobMeta>,
    /// Whether it is there after a restart.
    pub(super) durable: bool,
    pub(super) pins: u32,
    pub(super) names: u32,
}

impl Index {
    pub(super) fn reserve(&mut self, size: u64, limit: u64) -> bool {
        let fits = self.stored.saturating_add(size) <= limit;
        if fits {
            self.stored += size;
        }
        fits
    }

    pub(super) fn count_name(&mut self, digest: Digest, change: i32) {
        if let Some(entry) = self.blobs.get_mut(&digest) {
            entry.names = entry.names.saturating_add_signed(change);
        }
    }
}

impl Entry {
    pub(super) fn is_unused(&self) -> bool {
        self.pins == 0 && self.names == 0
    }
}

/// Room for a blob that is being written, given back unless it is kept.
pub(super) struct Reserved<'a> {
    pub(super) index: &'a Mutex<Index>,
    pub(super) size: u64,
}

impl Reserved<'_> {
    pub(super) fn keep(mut self) {
        self.size = 0;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.index.lock().stored -= self.size;
    }
}
