//! What goes into a guest and what comes out of it, in the words of the earlier
//! system.

use std::collections::btree_map::Entry;
use std::io::{self, Cursor, Write as _};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use bytes::Bytes;
use zip::write::SimpleFileOptions;

use std::convert::Infallible;
use std::net::SocketAddr;

use crate::http::Problem;
use crate::http::outcome::{detail, refusal};
use crate::store::{ArtifactRecord, TaskRecord, TaskState};
use crate::task_request::fields::EnvField;

/// The environment from `NAME=value` texts; of two with one name the first
/// counts, as it does for who looks a name up in such a list.
pub(super) fn environment<'a>(
    place: &str,
    pairs: impl IntoIterator<Item = &'a str>,
) -> Result<EnvField, Problem> {
    let mut env = EnvField::default();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else {
            let detail = format!("{place}: {pair:?} is not of the form NAME=value");
            return Err(Problem::invalid(detail));
        };
        if let Entry::Vacant(vacant) = env.0.entry(name.to_owned()) {
            vacant.insert(value.to_owned());
        }
    }
    Ok(env)
}

/// How a task ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The guest ran to its end; the record has its exit code.
    Exited(TaskRecord),
    /// The guest was stopped, or stopped itself in another way than by exiting.
    Broken(String),
    /// It wasn't run: not the guest's doing.
    NotRun(Problem),
}

impl Ended {
    pub(super) fn of(record: TaskRecord) -> Self {
        let text = detail(&record);
        match record.state {
            TaskState::Succeeded | TaskState::Failed => Self::Exited(record),
            TaskState::Rejected | TaskState::Lost | TaskState::Cancelled => {
                match refusal(&record, false) {
                    Some((status, code)) => {
                        Self::NotRun(Problem::new(status, code, text).retry_after(5))
                    }
                    None => Self::Broken(text),
                }
            }
            TaskState::Trapped
            | TaskState::TimedOut
            | TaskState::OutOfMemory
            | TaskState::OutputExceeded
            | TaskState::Disputed => Self::Broken(text),
        }
    }
}

/// The files that a guest left as one zip; nothing if none were asked for.
pub(super) fn artifacts_zip(artifacts: &[ArtifactRecord]) -> Result<Bytes, Problem> {
    let pack = || -> io::Result<Bytes> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for artifact in artifacts {
            zip.start_file(artifact.path.as_str(), SimpleFileOptions::default())?;
            zip.write_all(&artifact.bytes)?;
        }
        Ok(zip.finish()?.into_inner().into())
    };
    pack().map_err(|error| Problem::internal(format!("the artifacts can't be packed: {error}")))
}

/// Who asks: the address at the other end.
#[derive(Debug)]
pub(super) struct Requester(pub(super) Option<SocketAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(info.map(|ConnectInfo(address)| *address)))
    }
}

#[cfg(test)]
mod tests {
    use wasipool_shared::archive::{self, ArchiveLimits};
    use wasipool_shared::digest::Digest;

    use super::*;

    #[test]
    fn the_first_of_two_variables_counts() {
        let env = environment("envs", ["A=1", "B==x", "A=2", "C="]).unwrap();
        assert_eq!(env.0["A"], "1");
        assert_eq!((env.0["B"].as_str(), env.0["C"].as_str()), ("=x", ""));
        let problem = environment("envs", ["A"]).unwrap_err();
        assert!(problem.detail().contains("envs: \"A\""), "{problem:?}");
    }

    #[test]
    fn artifacts_come_as_a_zip() {
        let artifact = |path: &str, bytes: &'static [u8]| ArtifactRecord {
            path: path.into(),
            digest: Digest::of(bytes),
            bytes: Bytes::from_static(bytes),
        };
        let zip = artifacts_zip(&[artifact("out/a.txt", b"a"), artifact("ü", b"")]).unwrap();
        let tree = archive::unpack(&zip, ArchiveLimits::default()).unwrap();
        let content = |path: &str| tree[path].clone();
        assert_eq!(content("out/a.txt"), archive::Entry::File(b"a".to_vec()));
        assert_eq!(content("ü"), archive::Entry::File(Vec::new()));
        assert_eq!(tree.len(), 2);
        let empty = artifacts_zip(&[]).unwrap();
        assert!(
            archive::looks_like_archive(&empty),
            "no files, but an archive"
        );
    }
}
