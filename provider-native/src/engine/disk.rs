//! Compiled modules on disk, so that a restarted provider needn't compile.
//!
//! A file is the SHA-256 digest of the machine code, then the machine code. It
//! is written under another name and renamed, so that nobody sees half of it,
//! and the digest is checked before the code is used.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use wasipool_shared::digest::Digest;

const DIGEST_BYTES: usize = 32;

/// A directory of compiled modules, all for engines of one kind.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
}

impl Disk {
    /// Opens the directory for engines of that kind, made if need be.
    pub(super) fn open(cache: &Path, compatibility: &str) -> io::Result<Self> {
        let directory = cache.join("compiled").join(compatibility);
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    fn path(&self, module: Digest) -> PathBuf {
        self.directory.join(module.hex()).with_extension("cwasm")
    }

    /// The machine code of a module, if it is there and undamaged.
    pub(super) fn read(&self, module: Digest) -> Option<Vec<u8>> {
        let path = self.path(module);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "can't read a compiled module");
                return None;
            }
        };
        let whole = bytes
            .split_first_chunk::<DIGEST_BYTES>()
            .is_some_and(|(digest, code)| Digest::of(code).0 == *digest);
        if !whole {
            tracing::warn!(path = %path.display(), "a compiled module is damaged: compiling again");
            return None;
        }
        Some(bytes.split_off(DIGEST_BYTES))
    }

    /// Keeps the machine code of a module.
    pub(super) fn write(&self, module: Digest, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(&Digest::of(code).0)?;
        file.write_all(code)?;
        file.persist(self.path(module))
            .map_err(|error| error.error)?;
        Ok(())
    }
}
