//! From a task's spec to what the guest starts with, and from what it leaves
//! behind to what the task asked for.

use std::sync::Arc;

use bytes::Bytes;
use wasipool_shared::archive::{ArchiveLimits, Entry, clean_path, unpack};
use wasipool_shared::artifact::Patterns;
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::{ARTIFACTS_MAX, MIB};
use wasipool_shared::task::{BlobRef, Exceeded, Fault, Files, Payload, TaskLimits, TaskSpec};

use super::fs::{FileEntry, FileSystem};

/// Bytes of an unpacked archive that is kept for the next task.
const KEPT_BYTES_MAX: u64 = 64 * MIB;

/// Files by path, as [`Config::files`](crate::Config::files) takes them.
pub type FileList = Vec<(String, FileEntry)>;

/// What a guest reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// What stdin gives.
    pub stdin: Bytes,
    /// What is below `/`.
    pub files: FileList,
}

/// The archive that was unpacked last: tasks of one job often have the same.
#[derive(Debug, Default)]
pub struct Archives {
    kept: Option<(Digest, Arc<FileList>)>,
}

impl Inputs {
    /// Takes a task's inputs. `blob` gives the bytes of what the spec refers to,
    /// in the order of [`TaskSpec::blobs`]: each once, but for an archive that
    /// `archives` has kept.
    ///
    /// # Errors
    /// If `blob` fails, or the files can't be unpacked.
    pub fn new(
        spec: &TaskSpec,
        archives: &mut Archives,
        mut blob: impl FnMut(&BlobRef) -> Result<Bytes, Fault>,
    ) -> Result<Self, Fault> {
        let mut bytes = |payload: &Payload| match payload {
            Payload::Inline(bytes) => Ok(bytes.clone()),
            Payload::Blob(reference) => blob(reference),
        };
        let stdin = bytes(&spec.stdin)?;
        let files = match &spec.files {
            Files::None => Vec::new(),
            Files::Archive(archive) => {
                archives.unpacked(archive.digest, || bytes(&Payload::Blob(*archive)))?
            }
            Files::Map(map) => {
                let file = |(path, payload): &(String, Payload)| {
                    let path = clean_path(path).map_err(|error| fault(&error))?;
                    Ok((path, FileEntry::File(bytes(payload)?)))
                };
                map.iter().map(file).collect::<Result<_, Fault>>()?
            }
        };
        Ok(Self { stdin, files })
    }
}

impl Archives {
    fn unpacked(
        &mut self,
        digest: Digest,
        bytes: impl FnOnce() -> Result<Bytes, Fault>,
    ) -> Result<FileList, Fault> {
        if let Some((kept, files)) = &self.kept
            && *kept == digest
        {
            return Ok(files.to_vec());
        }
        let tree = unpack(&bytes()?, ArchiveLimits::default()).map_err(|error| fault(&error))?;
        let mut size = 0;
        let entries = tree.into_iter().map(|(path, entry)| match entry {
            Entry::Folder => (path, FileEntry::Directory),
            Entry::File(content) => {
                size += content.len() as u64;
                (path, FileEntry::File(content.into()))
            }
        });
        let files: FileList = entries.collect();
        self.kept = (size <= KEPT_BYTES_MAX).then(|| (digest, Arc::new(files.clone())));
        Ok(files)
    }
}

fn fault(error: &dyn std::fmt::Display) -> Fault {
    Fault::Files(error.to_string())
}

/// The files that a task asked for, sorted by path.
///
/// # Errors
/// If they are too many, or larger than the task allows.
pub fn artifacts(
    fs: &mut FileSystem,
    patterns: &Patterns,
    limits: &TaskLimits,
) -> Result<Vec<(String, Bytes)>, Exceeded> {
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = 0_u64;
    let mut count = 0;
    let mut fits = true;
    let found = fs.collect_files(|path, size| {
        if !fits || !patterns.matches(path) {
            return false;
        }
        bytes = bytes.saturating_add(size);
        count += 1;
        fits = bytes <= limits.artifact_bytes && count <= ARTIFACTS_MAX;
        fits
    });
    if fits {
        Ok(found)
    } else {
        Err(Exceeded::Artifacts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(bytes: &'static [u8]) -> Payload {
        Payload::Blob(reference(bytes))
    }

    fn reference(bytes: &'static [u8]) -> BlobRef {
        BlobRef {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }

    fn spec(stdin: Payload, files: Files) -> TaskSpec {
        TaskSpec {
            args: Vec::new(),
            env: Vec::new(),
            stdin,
            files,
            artifacts: Vec::new(),
            limits: TaskLimits {
                timeout_ms: 1,
                memory_bytes: 1,
                output_bytes: 1,
                artifact_bytes: 3,
            },
            seed: None,
        }
    }

    fn file(bytes: &'static [u8]) -> FileEntry {
        FileEntry::File(Bytes::from_static(bytes))
    }

    fn none(_: &BlobRef) -> Result<Bytes, Fault> {
        Err(Fault::Internal("none is there".to_owned()))
    }

    #[test]
    fn blobs_go_where_they_are_referred_to() {
        let map = vec![
            ("a/b".to_owned(), blob(b"second")),
            (
                "c".to_owned(),
                Payload::Inline(Bytes::from_static(b"inline")),
            ),
            ("./d".to_owned(), blob(b"third")),
        ];
        let spec = spec(blob(b"first"), Files::Map(map));
        let order: Vec<_> = spec.blobs().collect();
        let mut asked = Vec::new();
        let inputs = Inputs::new(&spec, &mut Archives::default(), |reference| {
            asked.push(*reference);
            let all = [&b"first"[..], b"second", b"third"];
            let found = all
                .into_iter()
                .find(|one| Digest::of(one) == reference.digest);
            Ok(Bytes::from_static(found.expect("one of them")))
        });
        let inputs = inputs.expect("all is there");
        assert_eq!(inputs.stdin, "first");
        let expected = [
            ("a/b", file(b"second")),
            ("c", file(b"inline")),
            ("d", file(b"third")),
        ];
        assert_eq!(
            inputs.files,
            expected.map(|(path, entry)| (path.to_owned(), entry))
        );
        assert_eq!(asked, order);
        let missing = Inputs::new(&spec, &mut Archives::default(), none);
        assert!(matches!(missing, Err(Fault::Internal(_))));
    }

    #[test]
    fn archives_are_unpacked_once_and_bad_ones_are_a_fault() {
        let bad = spec(Payload::EMPTY, Files::Archive(reference(b"no")));
        let no = |_: &BlobRef| Ok(Bytes::from_static(b"no"));
        let inputs = Inputs::new(&bad, &mut Archives::default(), no);
        assert!(matches!(inputs, Err(Fault::Files(_))), "{inputs:?}");
        let out = Files::Map(vec![("../x".to_owned(), Payload::EMPTY)]);
        let inputs = Inputs::new(&spec(Payload::EMPTY, out), &mut Archives::default(), none);
        assert!(matches!(inputs, Err(Fault::Files(_))), "{inputs:?}");

        // An empty zip archive.
        const EMPTY: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let good = spec(Payload::EMPTY, Files::Archive(reference(EMPTY)));
        let mut archives = Archives::default();
        let first = Inputs::new(&good, &mut archives, |_| Ok(Bytes::from_static(EMPTY)));
        assert_eq!(first.map(|inputs| inputs.files), Ok(Vec::new()));
        let again = Inputs::new(&good, &mut archives, none);
        assert_eq!(again.map(|inputs| inputs.files), Ok(Vec::new()));
    }

    #[test]
    fn artifacts_fit_to_the_byte() {
        let mut fs = FileSystem::new(1 << 20, 0);
        let files = [("a", file(b"12")), ("b", file(b"3")), ("c", file(b"large"))];
        let files = files.map(|(path, entry)| (path.to_owned(), entry));
        fs.populate(files, 0).expect("a tree");
        let limits = spec(Payload::EMPTY, Files::None).limits;
        let mut take = |patterns: &[&str]| {
            let patterns = Patterns::new(patterns).expect("patterns");
            artifacts(&mut fs, &patterns, &limits)
        };
        assert_eq!(take(&[]), Ok(Vec::new()));
        let both = [("a".to_owned(), "12".into()), ("b".to_owned(), "3".into())];
        assert_eq!(take(&["[ab]"]), Ok(both.to_vec()));
        assert_eq!(take(&["*"]), Err(Exceeded::Artifacts));
    }
}
