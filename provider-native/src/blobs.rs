//! Modules and data that came from the broker: in memory, modules on disk too.
//!
//! A blob that an assignment needs is held from `Locate` to `Release`, however
//! many there are; others stay as long as there is room.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasipool_shared::session::BlobUse;
use wasipool_shared::task::BlobRef;

/// Bytes of blobs that nobody needs at the moment.
const IDLE_BYTES: u64 = 256 * MIB;

/// The provider's blobs.
#[derive(Debug)]
pub struct Blobs {
    held: HashMap<Digest, Held>,
    idle: Lru<Digest, Bytes>,
    /// Where modules are kept.
    directory: Option<PathBuf>,
}

#[derive(Debug)]
struct Held {
    bytes: Option<Bytes>,
    used: BlobUse,
}

/// Where a blob is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In memory.
    Here,
    /// It may be in that file: read it with [`read`], away from the network's
    /// thread.
    Disk(PathBuf),
    /// Not here.
    Missing,
}

impl Blobs {
    /// Keeps modules below `cache`, if it is given and can be used.
    #[must_use]
    pub fn new(cache: Option<&Path>) -> Self {
        let directory = cache
            .map(|cache| cache.join("modules"))
            .filter(|directory| {
                std::fs::create_dir_all(directory)
                    .inspect_err(|error| {
                        tracing::warn!(path = %directory.display(), %error, "no cache of modules");
                    })
                    .is_ok()
            });
        Self {
            held: HashMap::new(),
            idle: Lru::new(IDLE_BYTES),
            directory,
        }
    }

    /// Looks for a blob, and holds it once it is there.
    pub fn locate(&mut self, blob: BlobRef, used: BlobUse) -> Place {
        let bytes = self.idle.remove(&blob.digest);
        let here = bytes.is_some();
        self.held.insert(blob.digest, Held { bytes, used });
        match self.path(blob.digest) {
            _ if here => Place::Here,
            Some(path) if used == BlobUse::Module => Place::Disk(path),
            Some(_) | None => Place::Missing,
        }
    }

    /// Takes in a blob that has come, checked; false if nobody waits for it any
    /// more (it is kept if there is room). A file to write it to, if it should
    /// survive: see [`write()`].
    pub fn store(&mut self, digest: Digest, bytes: Bytes) -> (bool, Option<PathBuf>) {
        let path = self.path(digest);
        match self.held.get_mut(&digest) {
            Some(held) => {
                held.bytes = Some(bytes);
                (true, path.filter(|_| held.used == BlobUse::Module))
            }
            None => {
                let size = bytes.len() as u64;
                self.idle.insert(digest, bytes, size);
                (false, None)
            }
        }
    }

    /// A blob that is held.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<&Bytes> {
        self.held.get(digest)?.bytes.as_ref()
    }

    /// Nobody needs that blob any more.
    pub fn release(&mut self, digest: Digest) {
        if let Some(Held {
            bytes: Some(bytes), ..
        }) = self.held.remove(&digest)
        {
            let size = bytes.len() as u64;
            self.idle.insert(digest, bytes, size);
        }
    }

    /// Nobody needs any blob any more: the session is over.
    pub fn release_all(&mut self) {
        let held: Vec<_> = self.held.keys().copied().collect();
        held.into_iter().for_each(|digest| self.release(digest));
    }

    fn path(&self, digest: Digest) -> Option<PathBuf> {
        Some(
            self.directory
                .as_ref()?
                .join(digest.hex())
                .with_extension("wasm"),
        )
    }
}

/// Reads a blob from its file; nothing if it isn't there or is damaged.
#[must_use]
pub fn read(path: &Path, digest: Digest) -> Option<Bytes> {
    let bytes = std::fs::read(path).ok()?;
    (Digest::of(&bytes) == digest).then(|| bytes.into())
}

/// Writes a blob to its file, whole or not at all. What fails is no loss: the
/// broker has it.
pub fn write(path: &Path, bytes: &[u8]) {
    let result = path
        .parent()
        .map_or_else(std::env::temp_dir, Path::to_owned);
    let written = tempfile::NamedTempFile::new_in(result).and_then(|mut file| {
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)
    });
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "can't keep a module on disk");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(text: &'static str) -> (BlobRef, Bytes) {
        let bytes = Bytes::from_static(text.as_bytes());
        (
            BlobRef {
                digest: Digest::of(&bytes),
                size: bytes.len() as u64,
            },
            bytes,
        )
    }

    #[test]
    fn a_blob_is_held_as_long_as_it_is_needed() {
        let mut blobs = Blobs::new(None);
        let (first, bytes) = blob("first");
        assert_eq!(blobs.locate(first, BlobUse::Data), Place::Missing);
        assert_eq!(blobs.get(&first.digest), None);
        assert_eq!(blobs.store(first.digest, bytes.clone()), (true, None));
        assert_eq!(blobs.get(&first.digest), Some(&bytes));
        blobs.release(first.digest);
        assert_eq!(blobs.get(&first.digest), None, "nobody holds it");
        assert_eq!(blobs.locate(first, BlobUse::Module), Place::Here);
        blobs.release_all();
        let (late, bytes) = blob("late");
        assert_eq!(blobs.store(late.digest, bytes), (false, None));
    }

    #[test]
    fn modules_survive_on_disk_and_damage_is_seen() {
        let cache = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::new(Some(cache.path()));
        let (module, bytes) = blob("module");
        let Place::Disk(path) = blobs.locate(module, BlobUse::Module) else {
            panic!()
        };
        assert_eq!(read(&path, module.digest), None);
        assert_eq!(
            blobs.store(module.digest, bytes.clone()),
            (true, Some(path.clone()))
        );
        write(&path, &bytes);
        assert_eq!(read(&path, module.digest), Some(bytes));
        std::fs::write(&path, "modulo").unwrap();
        assert_eq!(read(&path, module.digest), None);
        let (data, _) = blob("data");
        assert_eq!(
            blobs.locate(data, BlobUse::Data),
            Place::Missing,
            "data isn't kept on disk"
        );
    }
}
