//! Room for new blobs: unused ones go, the oldest first.

use wasipool_shared::digest::Digest;

use super::StoreError;
use super::blobs::Blobs;
use super::index::Index;
use super::sql;

impl Blobs {
    /// Counts `size` bytes in, after removing unused blobs, the oldest first, if
    /// there is no room.
    pub(super) async fn make_room(&self, size: u64) -> Result<(), StoreError> {
        let limit = self.stored_bytes_max;
        if self.index.lock().reserve(size, limit) {
            return Ok(());
        }
        self.remove_unused(|index| {
            let mut missing = (index.stored + size).saturating_sub(limit);
            let mut unused: Vec<_> = index
                .blobs
                .values()
                .filter(|entry| entry.is_unused())
                .map(|entry| &entry.meta)
                .collect();
            unused.sort_unstable_by_key(|meta| meta.created_unix_ms);
            let enough = unused.into_iter().take_while(|meta| {
                let take = missing > 0;
                missing = missing.saturating_sub(meta.size);
                take
            });
            enough.map(|meta| meta.digest).collect()
        })
        .await;
        if self.index.lock().reserve(size, limit) {
            Ok(())
        } else {
            Err(StoreError::Full { limit })
        }
    }

    /// Removes those that `choose` says, which must be unused.
    pub(super) async fn remove_unused(&self, choose: impl FnOnce(&Index) -> Vec<Digest>) {
        let _removing = self.files.write().await;
        let removed = {
            let mut index = self.index.lock();
            let chosen = choose(&index);
            for digest in &chosen {
                if let Some(entry) = index.blobs.remove(digest) {
                    index.stored -= entry.meta.size;
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
