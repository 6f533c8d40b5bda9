//! Which blobs there are, and what still needs them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wasipool_shared::digest::Digest;

use super::StoreError;
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
    /// Those of each owner.
    pub(super) owners: HashMap<u64, u64>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) meta: Arc<BlobMeta>,
    /// Whether it is there after a restart.
    pub(super) durable: bool,
    pub(super) pins: u32,
    pub(super) names: u32,
}

/// How many bytes of blobs there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Of all together.
    pub(super) all: u64,
    /// Of those that one owner brought; nobody in particular (0) has no limit of
    /// its own.
    pub(super) owner: u64,
}

impl Index {
    /// Counts a blob in that is about to be written.
    pub(super) fn reserve(&mut self, size: u64, owner: u64, room: Room) -> Result<(), StoreError> {
        if self.missing_own(size, owner, room) > 0 {
            return Err(StoreError::OwnerFull { limit: room.owner });
        }
        if self.missing(size, room) > 0 {
            return Err(StoreError::Full { limit: room.all });
        }
        self.add(size, owner);
        Ok(())
    }

    /// Bytes that must go before `size` more are within the limit of all.
    pub(super) fn missing(&self, size: u64, room: Room) -> u64 {
        self.stored.saturating_add(size).saturating_sub(room.all)
    }

    /// Bytes that must go before `size` more are within the owner's limit.
    pub(super) fn missing_own(&self, size: u64, owner: u64, room: Room) -> u64 {
        if owner == 0 {
            return 0;
        }
        let stored = self.owners.get(&owner).copied().unwrap_or_default();
        stored.saturating_add(size).saturating_sub(room.owner)
    }

    /// Counts a blob in.
    pub(super) fn add(&mut self, size: u64, owner: u64) {
        self.stored += size;
        if owner != 0 {
            *self.owners.entry(owner).or_default() += size;
        }
    }

    /// Counts a blob out.
    pub(super) fn subtract(&mut self, size: u64, owner: u64) {
        self.stored -= size;
        if let Some(stored) = self.owners.get_mut(&owner) {
            *stored -= size;
            if *stored == 0 {
                self.owners.remove(&owner);
            }
        }
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
    pub(super) owner: u64,
}

impl Reserved<'_> {
    pub(super) fn keep(mut self) {
        self.size = 0;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.index.lock().subtract(self.size, self.owner);
    }
}
