//! A guest's private files: a directory of its runner that is filled before a
//! run and emptied after it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tempfile::TempDir;
use wasipool_shared::archive::{self, ArchiveLimits, Entry, Tree};
use wasipool_shared::artifact::Patterns;
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::{ARTIFACTS_MAX, MIB};
use wasipool_shared::task::{Exceeded, Fault, Files, TaskSpec};

use super::Job;

/// Files to bring back: path without leading slash and content, sorted.
pub(super) type Artifacts = Vec<(String, Bytes)>;

/// Bytes of an unpacked archive that is kept for the next task: tasks of one
/// job often have the same.
const KEPT_TREE_BYTES: u64 = 64 * MIB;

/// The directory of one runner's guests.
#[derive(Debug)]
pub(super) struct Root {
    /// Where it is made.
    scratch: PathBuf,
    /// Made when it is needed first, and anew when it couldn't be emptied.
    directory: Mutex<Option<TempDir>>,
    unpacked: Option<(Digest, Arc<Tree>)>,
}

impl Root {
    pub(super) fn new(scratch: &Path) -> Self {
        Self {
            scratch: scratch.to_owned(),
            directory: Mutex::default(),
            unpacked: None,
        }
    }

    /// Where it is on the host.
    pub(super) fn path(&self) -> Result<PathBuf, Fault> {
        let mut directory = self.directory.lock();
        if let Some(directory) = &*directory {
            return Ok(directory.path().to_owned());
        }
        let made = tempfile::Builder::new()
            .prefix("wasipool-")
            .tempdir_in(&self.scratch);
        let made = made.map_err(|error| {
            Fault::Internal(format!(
                "no directory in {}: {error}",
                self.scratch.display()
            ))
        })?;
        Ok(directory.insert(made).path().to_owned())
    }

    /// Puts a job's files into it; false if it has none.
    pub(super) fn fill(&mut self, job: &Job) -> Result<bool, Fault> {
        let fault = |error: &dyn std::fmt::Display| Fault::Files(error.to_string());
        match &job.spec.files {
            Files::None => return Ok(false),
            Files::Archive(blob) => {
                let tree = self.unpack(blob.digest, &job.blob(blob.digest)?)?;
                let root = self.path()?;
                for (path, entry) in &*tree {
                    let at = root.join(path);
                    match entry {
                        Entry::Folder => fs::create_dir_all(at),
                        Entry::File(content) => write(&at, content),
                    }
                    .map_err(|error| fault(&format_args!("{path}: {error}")))?;
                }
            }
            Files::Map(files) => {
                let root = self.path()?;
                for (path, payload) in files {
                    let path = archive::clean_path(path).map_err(|error| fault(&error))?;
                    write(&root.join(&path), &job.bytes(payload)?)
                        .map_err(|error| fault(&format_args!("{path}: {error}")))?;
                }
            }
        }
        Ok(true)
    }

    fn unpack(&mut self, digest: Digest, bytes: &[u8]) -> Result<Arc<Tree>, Fault> {
        if let Some((kept, tree)) = &self.unpacked
            && *kept == digest
        {
            return Ok(Arc::clone(tree));
        }
        let tree = archive::unpack(bytes, ArchiveLimits::default())
            .map_err(|error| Fault::Files(error.to_string()))?;
        let tree = Arc::new(tree);
        let size = |entry: &Entry| match entry {
            Entry::Folder => 0,
            Entry::File(content) => content.len() as u64,
        };
        let small = tree.values().map(size).sum::<u64>() <= KEPT_TREE_BYTES;
        self.unpacked = small.then(|| (digest, Arc::clone(&tree)));
        Ok(tree)
    }

    /// The files that a task asked for; an error inside if they are too many
    /// or too large.
    pub(super) fn artifacts(&self, spec: &TaskSpec) -> Result<Result<Artifacts, Exceeded>, Fault> {
        if spec.artifacts.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let internal = |error: &dyn std::fmt::Display| Fault::Internal(error.to_string());
        let patterns = Patterns::new(&spec.artifacts).map_err(|error| internal(&error))?;
        let root = self.path()?;
        let mut left = spec.limits.artifact_bytes;
        let mut artifacts = Vec::new();
        let mut too_much = false;
        walk(&root, &mut |path, metadata| {
            let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str) else {
                return Ok(());
            };
            if too_much || !metadata.is_file() || !patterns.matches(name) {
                return Ok(());
            }
            if metadata.len() > left || artifacts.len() == ARTIFACTS_MAX {
                too_much = true;
                return Ok(());
            }
            left -= metadata.len();
            let mut content = Vec::new();
            File::open(path)?
                .take(metadata.len())
                .read_to_end(&mut content)?;
            artifacts.push((name.to_owned(), Bytes::from(content)));
            Ok(())
        })
        .map_err(|error| internal(&format_args!("can't read the artifacts: {error}")))?;
        if too_much {
            return Ok(Err(Exceeded::Artifacts));
        }
        artifacts.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Ok(artifacts))
    }

    /// Removes everything in it.
    pub(super) fn empty(&self) {
        let mut directory = self.directory.lock();
        let Some(root) = directory.as_ref() else {
            return;
        };
        if let Err(error) = remove_all(root.path()) {
            tracing::warn!(%error, "can't empty a guest's root: making a new one");
            *directory = None;
        }
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::write(path, content) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, content)
        }
        done => done,
    }
}

fn remove_all(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Shows everything below `root`, links not followed, with a stack of its own:
/// a guest may nest folders as deep as it likes.
fn walk(
    root: &Path,
    show: &mut dyn FnMut(&Path, &fs::Metadata) -> io::Result<()>,
) -> io::Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            show(&entry.path(), &metadata)?;
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Bytes that everything below `root` takes up.
pub(super) fn measure(root: &Path) -> u64 {
    let mut bytes = 0;
    let walked = walk(root, &mut |_, metadata| {
        bytes += metadata.blocks() * 512 + super::limits::FILE_COST_BYTES;
        Ok(())
    });
    // What can't be measured is full.
    if walked.is_ok() { bytes } else { u64::MAX }
}
