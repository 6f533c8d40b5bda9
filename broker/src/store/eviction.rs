//! Room for new blobs: unused ones go, the oldest first.

use wasipool_shared::digest::Digest;

use super::StoreError;
use super::blobs::Blobs;
use super::index::Index;
use super::sql;

impl Blobs {
    /// Counts `size` bytes in, after removing unused blobs, the oldest first, if
    /// there is no room: the owner's if that is over its limit.
    pub(super) async fn make_room(&self, size: u64, owner: u64) -> Result<(), StoreError> {
        let room = self.room;
        if self.index.lock().reserve(size, owner, room).is_ok() {
            return Ok(());
        }
        self.remove_unused(|index| {
            let mut missing = index.missing(size, room);
            let mut missing_own = index.missing_own(size, owner, room);
            let mut unused: Vec<_> = index
                .blobs
                .values()
                .filter(|entry| entry.is_unused())
                .map(|entry| &entry.meta)
                .collect();
            // What helps the owner's limit helps that of all too.
            unused.sort_unstable_by_key(|meta| (meta.owner != owner, meta.created_unix_ms));
            let helps = unused.into_iter().filter(|meta| {
                let own = meta.owner == owner;
                let take = missing > 0 || (own && missing_own > 0);
                if take {
                    missing = missing.saturating_sub(meta.size);
                }
                if take && own {
                    missing_own = missing_own.saturating_sub(meta.size);
                }
                take
            });
            helps.map(|meta| meta.digest).collect()
        })
        .await;
        self.index.lock().reserve(size, owner, room)
    }

    /// Removes those that `choose` says, which must be unused.
    pub(super) async fn remove_unused(&self, choose: impl FnOnce(&Index) -> Vec<Digest>) {
        let _removing = self.files.write().await;
        let removed = {
            let mut index = self.index.lock();
            let chosen = choose(&index);
            for digest in &chosen {
                if let Some(entry) = index.blobs.remove(digest) {
                    index.subtract(entry.meta.size, entry.meta.owner);
                }
            }
            chosen
        };
        if removed.is_empty() {
            return;
        }
        let digests = removed.clone();
        let forget = move |writer: &rusqlite::Connection| sql::blobs::remove(writer, &digests);
        if let Err(error) = self.writer.change(forget).await {
            // Its file goes at the next start, or stays with it.
            tracing::warn!(%error, "removed blobs can't be forgotten");
            return;
        }
        for digest in removed {
            self.cache.lock().remove(&digest);
            if let Err(error) = self.objects.remove(digest).await {
                tracing::warn!(%digest, %error, "a blob's content can't be removed");
            }
        }
    }
}
