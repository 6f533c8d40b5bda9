//! Files for a guest from zip, tar and gzipped tar archives, within limits.
//!
//! Pure: bytes in, entries out. The broker checks an archive when it is
//! submitted, providers unpack it with the same code.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use crate::limits::{ARCHIVE_BYTES_MAX, ARCHIVE_ENTRIES_MAX, ARCHIVE_RATIO_MAX, PATH_BYTES_MAX};

/// What an archive may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Files and folders.
    pub entries: usize,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// Unpacked bytes for each packed one.
    pub ratio: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            entries: ARCHIVE_ENTRIES_MAX,
            bytes: ARCHIVE_BYTES_MAX,
            ratio: ARCHIVE_RATIO_MAX,
        }
    }
}

/// Unpacked bytes that any archive may have, whatever its ratio: a few hundred
/// bytes of zeros are no bomb.
const RATIO_FREE_BYTES: u64 = 1024 * 1024;

/// Why an archive can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Its first bytes are of no known kind.
    #[error("not a zip, tar or tar.gz archive")]
    Unknown,
    /// It is damaged or of an unsupported kind.
    #[error("the archive is damaged or of an unsupported kind: {0}")]
    Damaged(String),
    /// Too many entries.
    #[error("the archive has more than {0} entries")]
    TooManyEntries(usize),
    /// Too large, unpacked.
    #[error("the archive unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// It grows too much.
    #[error("the archive unpacks to more than {0} times its size")]
    Ratio(u64),
    /// A path leads out of the root, is absolute, or too long.
    #[error("the entry {0:?} is absolute, leads out of the root, or is too long")]
    Path(String),
    /// An entry is neither a file nor a folder.
    #[error("the entry {0:?} is neither a file nor a folder: links and devices are not taken")]
    Kind(String),
}

/// One entry: its path without a leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A file with its content.
    File(Vec<u8>),
}

/// What an archive holds, by path, parents not necessarily listed.
pub type Tree = BTreeMap<String, Entry>;

/// Whether these bytes look like an archive.
#[must_use]
pub fn looks_like_archive(bytes: &[u8]) -> bool {
    is_zip(bytes) || is_gzip(bytes) || is_tar(bytes)
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Unpacks an archive into memory.
///
/// # Errors
/// If it is damaged, passes a limit, or has an entry that a guest's root can't
/// hold.
pub fn unpack(bytes: &[u8], limits: ArchiveLimits) -> Result<Tree, ArchiveError> {
    let by_ratio = limits
        .ratio
        .saturating_mul(bytes.len() as u64)
        .max(RATIO_FREE_BYTES);
    let mut budget = Budget {
        limits,
        by_ratio,
        used: 0,
        tree: Tree::new(),
        entries: 0,
    };
    if is_zip(bytes) {
        unpack_zip(bytes, &mut budget)?;
    } else if is_gzip(bytes) {
        unpack_tar(flate2::read::GzDecoder::new(bytes), &mut budget)?;
    } else if is_tar(bytes) {
        unpack_tar(bytes, &mut budget)?;
    } else {
        return Err(ArchiveError::Unknown);
    }
    Ok(budget.tree)
}

fn damaged(error: impl core::fmt::Display) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}

fn unpack_zip(bytes: &[u8], budget: &mut Budget) -> Result<(), ArchiveError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > budget.limits.entries {
        return Err(ArchiveError::TooManyEntries(budget.limits.entries));
    }
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(damaged)?;
        let path = file.name().map_err(damaged)?.into_owned();
        if file.is_symlink() {
            return Err(ArchiveError::Kind(path));
        }
        if file.is_dir() {
            budget.add_folder(&path)?;
        } else {
            budget.add_file(&path, &mut file)?;
        }
    }
    Ok(())
}

fn unpack_tar(reader: impl Read, budget: &mut Budget) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Directory => budget.add_folder(&path)?,
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                budget.add_file(&path, &mut entry)?;
            }
            tar::EntryType::XGlobalHeader | tar::EntryType::XHeader => {}
            _ => return Err(ArchiveError::Kind(path)),
        }
    }
    Ok(())
}

struct Budget {
    limits: ArchiveLimits,
    by_ratio: u64,
    used: u64,
    entries: usize,
    tree: Tree,
}

impl Budget {
    fn add_folder(&mut self, path: &str) -> Result<(), ArchiveError> {
        let path = clean_path(path)?;
        self.count()?;
        if !path.is_empty() {
            self.tree.entry(path).or_insert(Entry::Folder);
        }
        Ok(())
    }

    fn add_file(&mut self, path: &str, reader: &mut impl Read) -> Result<(), ArchiveError> {
        let path = clean_path(path)?;
        if path.is_empty() {
            return Err(ArchiveError::Path(path));
        }
        self.count()?;
        let allowed = self.limits.bytes.min(self.by_ratio) - self.used;
        let mut content = Vec::new();
        // What the header says of the size is the stranger's word: count.
        reader
            .take(allowed + 1)
            .read_to_end(&mut content)
            .map_err(damaged)?;
        let size = content.len() as u64;
        if size > allowed {
            return Err(if self.limits.bytes <= self.by_ratio {
                ArchiveError::TooLarge(self.limits.bytes)
            } else {
                ArchiveError::Ratio(self.limits.ratio)
            });
        }
        self.used += size;
        self.tree.insert(path, Entry::File(content));
        Ok(())
    }

    fn count(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(ArchiveError::TooManyEntries(self.limits.entries));
        }
        Ok(())
    }
}

/// A path below the guest's root, without leading slash and `.` components.
///
/// # Errors
/// If it is absolute, has `..` or a NUL, or is too long.
pub fn clean_path(path: &str) -> Result<String, ArchiveError> {
    let bad = || ArchiveError::Path(path.chars().take(200).collect());
    if path.len() > PATH_BYTES_MAX || path.starts_with('/') || path.contains(['\0', '\\']) {
        return Err(bad());
    }
    let mut components = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => return Err(bad()),
            component => components.push(component),
        }
    }
    Ok(components.join("/"))
}
