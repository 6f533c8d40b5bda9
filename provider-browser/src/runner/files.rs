//! What a task brings along, as the host wants it: its own bytes put in the
//! places of references, archives unpacked.

use bytes::Bytes;
use wasipool_shared::archive::{ArchiveLimits, Entry, clean_path, unpack};
use wasipool_shared::task::{Fault, Files, Payload, TaskSpec};

use crate::wasi::fs::FileEntry;

/// What a guest reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// What stdin gives.
    pub stdin: Bytes,
    /// What is below `/`.
    pub files: Vec<(String, FileEntry)>,
}

impl Inputs {
    /// Takes a task's inputs; `blobs` are those of [`TaskSpec::blobs`], in that
    /// order.
    ///
    /// # Errors
    /// If a blob is missing, or the files can't be unpacked.
    pub fn new(spec: &TaskSpec, blobs: impl IntoIterator<Item = Bytes>) -> Result<Self, Fault> {
        let mut blobs = blobs.into_iter();
        let mut blob = || {
            let missing = || Fault::Internal("a blob did not come with its task".to_owned());
            blobs.next().ok_or_else(missing)
        };
        let mut bytes = |payload: &Payload| match payload {
            Payload::Inline(bytes) => Ok(bytes.clone()),
            Payload::Blob(_) => blob(),
        };
        let stdin = bytes(&spec.stdin)?;
        let files = match &spec.files {
            Files::None => Vec::new(),
            Files::Archive(archive) => unpacked(&bytes(&Payload::Blob(*archive))?)?,
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

fn unpacked(archive: &[u8]) -> Result<Vec<(String, FileEntry)>, Fault> {
    let tree = unpack(archive, ArchiveLimits::default()).map_err(|error| fault(&error))?;
    let entries = tree.into_iter().map(|(path, entry)| match entry {
        Entry::Folder => (path, FileEntry::Directory),
        Entry::File(content) => (path, FileEntry::File(content.into())),
    });
    Ok(entries.collect())
}

fn fault(error: &dyn std::fmt::Display) -> Fault {
    Fault::Files(error.to_string())
}

#[cfg(test)]
mod tests {
    use wasipool_shared::digest::Digest;
    use wasipool_shared::task::{BlobRef, TaskLimits};

    use super::*;

    fn blob(bytes: &'static [u8]) -> Payload {
        Payload::Blob(BlobRef {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        })
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
                artifact_bytes: 1,
            },
            seed: None,
        }
    }

    fn file(bytes: &'static [u8]) -> FileEntry {
        FileEntry::File(Bytes::from_static(bytes))
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
        let blobs = [&b"first"[..], b"second", b"third"].map(Bytes::from_static);
        let inputs = Inputs::new(&spec, blobs.clone()).unwrap();
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
        let missing = Inputs::new(&spec, blobs.into_iter().take(2));
        assert!(matches!(missing, Err(Fault::Internal(_))));
    }

    #[test]
    fn archives_are_unpacked_and_bad_ones_are_a_fault() {
        let bad = Files::Archive(BlobRef {
            digest: Digest::of(b"no"),
            size: 2,
        });
        let inputs = Inputs::new(&spec(Payload::EMPTY, bad), [Bytes::from_static(b"no")]);
        assert!(matches!(inputs, Err(Fault::Files(_))), "{inputs:?}");
        let out = Files::Map(vec![("../x".to_owned(), Payload::EMPTY)]);
        assert!(matches!(
            Inputs::new(&spec(Payload::EMPTY, out), []),
            Err(Fault::Files(_))
        ));
    }
}
