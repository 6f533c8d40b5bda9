//! Contents of files that were read lately.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use wasipool_shared::digest::Digest;

/// Bytes of blobs that are kept in memory beside their files, so that a module
/// isn't read again for each of many providers.
const CACHE_BYTES: usize = 256 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Digest, Bytes>,
    order: VecDeque<Digest>,
    bytes: usize,
}

impl Cache {
    pub(super) fn get(&self, digest: Digest) -> Option<Bytes> {
        self.entries.get(&digest).cloned()
    }

    pub(super) fn insert(&mut self, digest: Digest, bytes: Bytes) {
        if bytes.len() > CACHE_BYTES / 4 || self.entries.contains_key(&digest) {
            return;
        }
        self.bytes += bytes.len();
        self.order.push_back(digest);
        self.entries.insert(digest, bytes);
        while self.bytes > CACHE_BYTES {
            let Some(oldest) = self.order.front().copied() else {
                break;
            };
            self.remove(oldest);
        }
    }

    pub(super) fn remove(&mut self, digest: Digest) {
        if let Some(bytes) = self.entries.remove(&digest) {
            self.bytes -= bytes.len();
            self.order.retain(|known| *known != digest);
        }
    }
}
