//! The guest's files: an archive that is fit to be unpacked, or single files
//! whose paths make sense together.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use wasipool_shared::archive::{clean_path, unpack};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::PATH_BYTES_MAX;

use super::{RequestError, TaskRules};
use crate::store::Store;

/// Archives whose verdict is remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Checks archives, each once.
#[derive(Debug)]
pub struct Archives {
    rules: TaskRules,
    verdicts: Mutex<HashMap<Digest, Result<(), String>>>,
    /// Unpacking may take a lot of memory: one at a time.
    checking: Semaphore,
}

impl Default for Archives {
    fn default() -> Self {
        Self::new(TaskRules::default())
    }
}

impl Archives {
    /// Checks by these rules.
    #[must_use]
    pub fn new(rules: TaskRules) -> Self {
        Self {
            rules,
            verdicts: Mutex::default(),
            checking: Semaphore::new(1),
        }
    }

    /// What a task may bring.
    pub(super) fn rules(&self) -> &TaskRules {
        &self.rules
    }

    /// Whether the archive can be a guest's root, and if not, why.
    pub(super) async fn check(&self, store: &Store, digest: Digest) -> Result<(), String> {
        if let Some(verdict) = self.verdicts.lock().get(&digest) {
            return verdict.clone();
        }
        let Ok(_permit) = self.checking.acquire().await else {
            return Err("the broker is stopping".to_owned());
        };
        if let Some(verdict) = self.verdicts.lock().get(&digest) {
            return verdict.clone();
        }
        let bytes = store
            .blob(digest)
            .await
            .ok_or("its content can't be read")?;
        let limits = self.rules.archive;
        let check = move || unpack(&bytes, limits).map(drop);
        let checked = tokio::task::spawn_blocking(check)
            .await
            .map_err(|error| error.to_string())?;
        let verdict = checked.map_err(|error| error.to_string());
        let mut verdicts = self.verdicts.lock();
        if verdicts.len() >= REMEMBERED_MAX {
            verdicts.clear();
        }
        verdicts.insert(digest, verdict.clone());
        verdict
    }
}

/// Paths below `/` without a leading slash, in order. No two are the same, and
/// no file is in another one.
pub(super) fn arrange<T>(
    place: &str,
    files: Vec<(String, T)>,
) -> Result<BTreeMap<String, T>, RequestError> {
    let mut arranged = BTreeMap::new();
    for (path, content) in files {
        let bad = |problem: &str| RequestError::at(&format!("{place}[{path:?}]"), problem);
        let clean = clean_path(path.strip_prefix('/').unwrap_or(&path)).map_err(|_| {
            bad(&format!(
                "the path leads out of the root, has a \\ or NUL, or more than {PATH_BYTES_MAX} bytes"
            ))
        })?;
        if clean.is_empty() {
            return Err(bad("this is the root itself, not a file"));
        }
        if arranged.insert(clean, content).is_some() {
            return Err(bad("the same path is there twice"));
        }
    }
    for path in arranged.keys() {
        let parents = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some(parent) = parents
            .into_iter()
            .find(|parent| arranged.contains_key(*parent))
        {
            return Err(RequestError::at(
                place,
                format_args!("{path:?} can't be in the file {parent:?}"),
            ));
        }
    }
    Ok(arranged)
}
