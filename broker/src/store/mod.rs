//! What the broker remembers: blobs and their names, jobs and their results.
//!
//! The methods are asynchronous because they are the boundary behind which
//! storage can change. Jobs and results are in a database, blobs beside it: in
//! the broker's folder, or both in memory.
//!
//! - [`blobs`]: content by digest, names that point to it, room and eviction.
//! - [`upload`]: content that arrives in pieces.
//! - [`job`], [`task`]: a job; how a task ended.
//! - [`jobs`]: jobs and their results, for those who read them.
//! - `writer`, `inbox`: the thread that writes them, and what waits for it.
//! - `sql`: the database; nothing else knows SQL.
//! - `eviction`: room for new blobs; `cleaner`: old jobs go.
//! - `objects`: the content of blobs; `load`: which there are at a start.
//! - `index`: which blobs there are, and what still needs them.
//! - `packed`, `spec`: a result, and what is needed to run a job, as bytes.

pub mod blobs;
mod cleaner;
mod eviction;
mod inbox;
mod index;
pub mod job;
pub mod jobs;
mod load;
mod objects;
mod packed;
mod spec;
mod sql;
pub mod task;
pub mod upload;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::JobId;
use wasipool_shared::limits::{
    BLOB_BYTES_MAX, KEPT_BYTES_MAX_IN_MEMORY, OWNER_STORED_BYTES_MAX, STORED_BYTES_MAX,
};

pub use blobs::{BlobMeta, BlobPage, NamedBlob, Pin, PutBlob};
pub use job::{Counts, JobFilter, JobPage, JobRecord, JobState, TaskPage};
pub use sql::OpenError;
pub use task::{
    ArtifactRecord, ProviderRef, TaskRecord, TaskState, TaskTiming, TraceStep, VariantRecord,
};
pub use upload::Upload;

use crate::driver::NewJob;
use crate::metrics::Metrics;

/// Where and how much is stored.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The folder of what survives the process; none keeps all in memory.
    pub folder: Option<PathBuf>,
    /// Bytes of all blobs together.
    pub stored_bytes_max: u64,
    /// Bytes of all blobs that one owner brought.
    pub owner_bytes_max: u64,
    /// Bytes of one blob.
    pub blob_bytes_max: u64,
    /// Which jobs are kept when they have ended.
    pub keep: Keep,
    /// Where it counts.
    pub metrics: Metrics,
}

/// Which jobs are kept when they have ended.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// How long; none is for ever.
    pub time: Option<Duration>,
    /// Bytes of all results: beyond, the oldest jobs are forgotten.
    pub bytes: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            folder: None,
            stored_bytes_max: STORED_BYTES_MAX,
            owner_bytes_max: OWNER_STORED_BYTES_MAX,
            blob_bytes_max: BLOB_BYTES_MAX,
            keep: Keep {
                time: None,
                bytes: KEPT_BYTES_MAX_IN_MEMORY,
            },
            metrics: Metrics::default(),
        }
    }
}

/// Why something isn't stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// One blob is too large.
    #[error("a blob may have {limit} bytes at most")]
    BlobTooLarge {
        /// How many it may have.
        limit: u64,
    },
    /// Those of one owner would be.
    #[error(
        "the blobs of this token would pass its limit of {limit} bytes (--token-stored-max): delete some"
    )]
    OwnerFull {
        /// How many bytes there may be.
        limit: u64,
    },
    /// All blobs together would be.
    #[error("the stored blobs would pass the limit of {limit} bytes: delete some")]
    Full {
        /// How many bytes there may be.
        limit: u64,
    },
    /// Another job has that idempotency key.
    #[error("the job {0} has this idempotency key")]
    KeyTaken(JobId),
    /// A file couldn't be written or read.
    #[error("storage failed: {0}")]
    Io(#[from] io::Error),
    /// What is stored isn't what was.
    #[error("the content of {0} is damaged")]
    Damaged(Digest),
    /// The disk is full.
    #[error("there is no room left on the broker's disk: {0}")]
    DiskFull(String),
    /// The database couldn't be written.
    #[error("the broker's database can't be written: {0}")]
    Database(String),
    /// The broker stops.
    #[error("the broker is stopping")]
    Stopped,
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        // The source says what the system said.
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            let io = inner.downcast_ref::<io::Error>();
            if io.is_some_and(|io| io.kind() == io::ErrorKind::StorageFull) {
                return Self::DiskFull(inner.to_string());
            }
            cause = inner.source();
        }
        Self::Io(io::Error::other(error))
    }
}

impl From<&rusqlite::Error> for StoreError {
    fn from(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}

/// A job that hadn't ended when the broker did.
#[derive(Debug)]
pub struct Resumable {
    /// Its name.
    pub id: JobId,
    /// What it consists of.
    pub new: Box<NewJob>,
    /// How far it had come.
    pub record: JobRecord,
    /// How each of its tasks ended, if it did.
    pub states: Vec<Option<TaskState>>,
    /// Whether its owner wants no more of it.
    pub cancelled: bool,
}

/// All that the broker remembers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    blobs: Arc<blobs::Blobs>,
    jobs: Arc<jobs::Jobs>,
    resumable: Arc<Mutex<Vec<Resumable>>>,
    ephemeral: bool,
}

impl Store {
    /// Opens the folder, or starts empty in memory.
    ///
    /// # Errors
    /// If the folder can't be used.
    pub async fn open(settings: StoreSettings) -> Result<Self, OpenError> {
        let folder = settings.folder.clone();
        let open = move || {
            // The database first: it takes the folder for this broker alone.
            let database = sql::Database::open(folder.as_deref())?;
            if let Some(folder) = &folder {
                load::take_over(&database, folder)?;
            }
            let objects = objects::Objects::open(folder.as_deref())?;
            Ok::<_, OpenError>((database, objects))
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let (database, objects) = opened.map_err(io::Error::other)??;
        let index = load::index(&database, &objects).await?;
        let resume = move || {
            let ephemeral = settings.folder.is_none();
            let (shared, writer) =
                writer::start(database, settings.keep.bytes, settings.metrics.clone())?;
            let blobs = blobs::Blobs::new(&settings, index, objects, writer.clone());
            let (jobs, resumable) = jobs::Jobs::open(shared, writer, &blobs, settings.keep)?;
            Ok(Self {
                blobs: Arc::new(blobs),
                jobs: Arc::new(jobs),
                resumable: Arc::new(Mutex::new(resumable)),
                ephemeral,
            })
        };
        tokio::task::spawn_blocking(resume)
            .await
            .map_err(io::Error::other)?
    }

    /// Blobs and their names.
    #[must_use]
    pub fn blobs(&self) -> &blobs::Blobs {
        &self.blobs
    }

    /// Jobs and their results.
    #[must_use]
    pub fn jobs(&self) -> &jobs::Jobs {
        &self.jobs
    }

    /// The content of a blob.
    pub async fn blob(&self, digest: Digest) -> Option<Bytes> {
        self.blobs.get(digest).await
    }

    /// The jobs that hadn't ended when the broker did; only the first call gives
    /// them.
    #[must_use]
    pub fn take_resumable(&self) -> Vec<Resumable> {
        std::mem::take(&mut self.resumable.lock())
    }

    /// Keeps a job: returns once it is on the disk. Its blobs are kept until it
    /// ends.
    ///
    /// # Errors
    /// If its idempotency key is another job's, or it can't be written.
    pub async fn insert_job(&self, id: JobId, new: &NewJob) -> Result<(), StoreError> {
        let blobs = new.blobs();
        let pin = self.blobs.pin(blobs.clone());
        for digest in blobs {
            self.blobs.make_durable(digest).await?;
        }
        let spec = spec::encode(new).map_err(|error| StoreError::Database(error.to_string()))?;
        self.jobs.insert(JobRecord::of(id, new), spec, pin).await
    }

    /// Keeps that a job's owner wants no more of it: returns once that is on the
    /// disk.
    ///
    /// # Errors
    /// If it can't be written.
    pub async fn cancel_job(&self, id: JobId) -> Result<(), StoreError> {
        let cancel = move |writer: &rusqlite::Connection| sql::jobs::cancel(writer, id);
        self.jobs.writer.change(cancel).await
    }

    /// Takes over how tasks ended, to be written: readers see them once they are
    /// on the disk. Those of unknown jobs and those that ended before are left
    /// out. Waits only if too many aren't written yet.
    pub async fn finish_tasks(&self, ended: Vec<(JobId, u32, TaskRecord)>) {
        self.jobs.writer.results(ended).await;
    }

    /// Returns once all results that were handed over are on the disk.
    pub async fn flush(&self) {
        self.jobs.writer.flush().await;
    }

    /// Forgets jobs that have ended when they are too old or too large together;
    /// never ends.
    pub async fn keep_clean(&self) {
        self.jobs.keep_clean().await;
    }

    /// Whether all is in memory and ends with the process.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// Bytes of all blobs and results.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.blobs.stored_bytes() + self.jobs.bytes()
    }

    /// Why nothing can be written at present, if it can't.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.jobs.failure()
    }
}

#[cfg(test)]
mod tests;
