//! The files that tasks brought back, as one zip archive.
//!
//! The archive is written as it is read, one file at a time: neither it nor the
//! results lie in memory as a whole.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use parking_lot::Mutex;
use wasipool_shared::ids::{JobId, TaskId};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::download::to_be_saved;
use super::openapi::{Binary, Conflict, Denied, NoJob, NoTask};
use super::params::PathOf;
use super::{App, Problem, tasks};
use crate::store::ArtifactRecord;
use crate::store::jobs::TaskFilter;

/// Files in one archive: the list of them is written at its end and kept until
/// then.
const FILES_MAX: usize = 250_000;
/// Files up to this size are compressed right away, larger ones on a thread that
/// may be busy for a while.
const COMPRESS_AT_ONCE: usize = 16 * 1024;

/// `GET /v1/jobs/{id}/artifacts.zip`: of all tasks, as `<index>/<path>`.
///
/// # Errors
/// If there is no such job or it hasn't ended.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/artifacts.zip",
    tag = "jobs",
    summary = "All files that a job brought back",
    description = "As a zip archive; each file as `<index>/<path>`.",
    params(("id" = JobId, Path, description = "The job."),),
    responses(
        (status = 200, description = "The archive.", content_type = "application/zip", body = Binary),
        Denied, NoJob, Conflict,
    )
)]
pub async fn of_job(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
) -> Result<Response, Problem> {
    let job = tasks::job(&app, &id).await?;
    if job.ended().is_none() {
        return Err(Problem::conflict("the job has not ended"));
    }
    let files = Files::Job {
        app,
        id: job.id,
        next: Some(0),
    };
    Ok(archive(files, &format!("{id}.zip")))
}

/// `GET /v1/jobs/{id}/tasks/{index}/artifacts.zip`: of one task, by their paths.
///
/// # Errors
/// If there is no such task or it hasn't ended.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks/{index}/artifacts.zip",
    tag = "tasks",
    summary = "All files that a task brought back",
    description = "As a zip archive.",
    params(("id" = JobId, Path, description = "The job."),
        ("index" = u32, Path, description = "The task's place in its job, from 0."),),
    responses(
        (status = 200, description = "The archive.", content_type = "application/zip", body = Binary),
        Denied, NoTask, Conflict,
    )
)]
pub async fn of_task(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
) -> Result<Response, Problem> {
    let (TaskId { job, index }, record) = tasks::ended(&app, &id, &index).await?;
    let name = format!("{job}.{index}.zip");
    Ok(archive(Files::Task(Some(record.artifacts)), &name))
}

/// Where the files come from, a task at a time.
enum Files {
    Task(Option<Vec<ArtifactRecord>>),
    Job {
        app: App,
        id: JobId,
        next: Option<u32>,
    },
}

impl Files {
    async fn next(&mut self) -> Option<Vec<(String, Bytes)>> {
        match self {
            Self::Task(files) => {
                let files = files.take()?.into_iter();
                Some(files.map(|file| (file.path, file.bytes)).collect())
            }
            Self::Job { app, id, next } => {
                let jobs = app.store.jobs();
                let page = jobs.tasks(*id, TaskFilter::All, (*next)?, 1).await;
                *next = page.next;
                let tasks = page.items.into_iter();
                let files = tasks.flat_map(|(index, record)| {
                    let files = record.map(|record| record.artifacts).unwrap_or_default();
                    files
                        .into_iter()
                        .map(move |file| (format!("{index}/{}", file.path), file.bytes))
                });
                Some(files.collect())
            }
        }
    }
}

/// What was written and isn't sent yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Zip = ZipWriter<StreamWriter<Written>>;

struct Archive {
    files: Files,
    /// Files of the task that is under way, the next one last.
    ready: Vec<(String, Bytes)>,
    count: usize,
    /// None when the archive is complete.
    zip: Option<Zip>,
    written: Written,
}

fn archive(files: Files, name: &str) -> Response {
    let written = Written::default();
    let archive = Archive {
        files,
        ready: Vec::new(),
        count: 0,
        zip: Some(ZipWriter::new_stream(written.clone())),
        written,
    };
    let pieces = stream::unfold(archive, |mut archive| async move {
        match archive.next().await {
            Ok(piece) => Some((Ok(piece?), archive)),
            Err(error) => {
                // The headers are out: breaking off is all that is left.
                tracing::warn!(%error, "an archive of artifacts breaks off");
                archive.zip = None;
                Some((Err(error), archive))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let kind = HeaderValue::from_static("application/zip");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    to_be_saved(headers, name);
    response
}

impl Archive {
    /// The next bytes of the archive; nothing at its end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some((path, content)) = self.ready.pop() {
                self.count += 1;
                if self.count > FILES_MAX {
                    let problem = format!("more than {FILES_MAX} files don't go into one archive");
                    return Err(io::Error::other(problem));
                }
                self.add(path, content).await?;
            } else if self.zip.is_none() {
                return Ok(None);
            } else if let Some(mut files) = self.files.next().await {
                files.reverse();
                self.ready = files;
                continue;
            } else if let Some(zip) = self.zip.take() {
                zip.finish()?;
            }
            let piece = std::mem::take(&mut *self.written.0.lock());
            if !piece.is_empty() {
                return Ok(Some(piece.into()));
            }
        }
    }

    async fn add(&mut self, path: String, content: Bytes) -> io::Result<()> {
        let Some(mut zip) = self.zip.take() else {
            return Ok(());
        };
        let large = content.len() > COMPRESS_AT_ONCE;
        let add = move || {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .compression_level(Some(1));
            zip.start_file(path, options)?;
            zip.write_all(&content)?;
            Ok::<_, io::Error>(zip)
        };
        let added = if large {
            let added = tokio::task::spawn_blocking(add).await;
            added.map_err(io::Error::other)?
        } else {
            add()
        };
        self.zip = Some(added?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use wasipool_shared::digest::Digest;

    use super::*;

    fn file(path: &str, size: usize) -> ArtifactRecord {
        let bytes = Bytes::from(path.repeat(size).into_bytes());
        ArtifactRecord {
            path: path.to_owned(),
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    async fn unzip(files: Vec<ArtifactRecord>) -> Vec<(String, Vec<u8>)> {
        let response = archive(Files::Task(Some(files)), "x.zip");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/zip");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        let mut zip = zip::ZipArchive::new(io::Cursor::new(body)).unwrap();
        (0..zip.len())
            .map(|at| {
                let mut file = zip.by_index(at).unwrap();
                let mut content = Vec::new();
                file.read_to_end(&mut content).unwrap();
                (file.name().unwrap().into_owned(), content)
            })
            .collect()
    }

    #[tokio::test]
    async fn files_come_back_as_they_were() {
        assert_eq!(unzip(Vec::new()).await, []);
        let files = vec![
            file("a", 0),
            file("b/c ü", 7),
            file("large", COMPRESS_AT_ONCE),
        ];
        let found = unzip(files.clone()).await;
        let expected = files
            .into_iter()
            .map(|file| (file.path, file.bytes.to_vec()));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
