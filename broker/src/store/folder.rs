//! Files that are complete or not there, whenever the power goes.
//!
//! Layout: `blobs/<hex>` is content, `blobs/<hex>.json` what it is,
//! `names.json` the names, `tmp/` what isn't complete.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use wasipool_shared::digest::Digest;

use super::blobs::BlobMeta;

/// The broker's folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    temporary: AtomicU64,
}

/// A name as it is kept.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) digest: Digest,
    pub(super) created_unix_ms: u64,
}

/// Names and where they point.
pub(super) type Names = BTreeMap<String, Named>;

/// A file that goes away with this value, unless it is renamed before.
#[derive(Debug)]
pub(super) struct Temporary(pub(super) PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nothing to remove after a rename.
        let _ = fs::remove_file(&self.0);
    }
}

impl Folder {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let folder = Self {
            root: root.to_owned(),
            temporary: AtomicU64::new(0),
        };
        fs::create_dir_all(folder.root.join("blobs"))?;
        let temporary = folder.root.join("tmp");
        if temporary.exists() {
            fs::remove_dir_all(&temporary)?;
        }
        fs::create_dir_all(&temporary)?;
        Ok(folder)
    }

    pub(super) fn temporary(&self) -> Temporary {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        Temporary(self.root.join("tmp").join(number.to_string()))
    }

    pub(super) fn blob_path(&self, digest: Digest) -> PathBuf {
        self.root.join("blobs").join(digest.hex())
    }

    fn meta_path(&self, digest: Digest) -> PathBuf {
        self.root.join("blobs").join(digest.hex() + ".json")
    }

    /// Writes content to a temporary file and makes it durable.
    pub(super) fn write_temporary(&self, bytes: &[u8]) -> io::Result<Temporary> {
        let temporary = self.temporary();
        let mut file = File::create_new(&temporary.0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_temporary(bytes)?;
        fs::rename(&temporary.0, path)?;
        sync_folder_of(path)
    }

    /// Makes a complete temporary file the content of a blob.
    pub(super) fn keep(
        &self,
        digest: Digest,
        content: &Temporary,
        meta: &BlobMeta,
    ) -> io::Result<()> {
        self.replace(&self.meta_path(digest), &serde_json::to_vec(meta)?)?;
        let path = self.blob_path(digest);
        fs::rename(&content.0, &path)?;
        sync_folder_of(&path)
    }

    pub(super) fn remove(&self, digest: Digest) -> io::Result<()> {
        fs::remove_file(self.blob_path(digest))?;
        fs::remove_file(self.meta_path(digest))
    }

    pub(super) fn write_names(&self, names: &Names) -> io::Result<()> {
        self.replace(
            &self.root.join("names.json"),
            &serde_json::to_vec_pretty(names)?,
        )
    }

    pub(super) fn read_names(&self) -> io::Result<Names> {
        match fs::read(self.root.join("names.json")) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Names::new()),
            Err(error) => Err(error),
        }
    }

    /// What is known of each blob whose content is there, too.
    pub(super) fn read_metas(&self) -> io::Result<Vec<BlobMeta>> {
        let mut metas = Vec::new();
        for entry in fs::read_dir(self.root.join("blobs"))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let meta: BlobMeta = serde_json::from_slice(&fs::read(&path)?)?;
            let content = fs::metadata(self.blob_path(meta.digest));
            if content.is_ok_and(|content| content.len() == meta.size) {
                metas.push(meta);
            } else {
                tracing::warn!(digest = %meta.digest, "a blob's content is missing");
                fs::remove_file(&path)?;
            }
        }
        Ok(metas)
    }
}

/// A rename is durable only once its folder is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
