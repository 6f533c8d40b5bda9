//! What the broker remembers: blobs and their names, jobs and their results.
//!
//! The methods are asynchronous because they are the boundary behind which
//! storage can change. At present blobs are in memory or in a folder, jobs in
//! memory.
//!
//! - [`blobs`]: content by digest, names that point to it, room and eviction.
//! - [`upload`]: content that arrives in pieces.
//! - [`jobs`]: jobs, their results in order, who waits for them.
//! - [`task`]: how a task ended.
//! - `eviction`: room for new ones.
//! - `folder`: files that are complete or not there.
//! - `index`: which blobs there are, and what still needs them.
//! - `packed`: a result in few bytes.

pub mod blobs;
mod eviction;
mod folder;
mod index;
pub mod jobs;
mod packed;
pub mod task;
pub mod upload;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::JobId;
use wasipool_shared::limits::{BLOB_BYTES_MAX, GIB, STORED_BYTES_MAX};

pub use blobs::{BlobMeta, BlobPage, NamedBlob, Pin, PutBlob};
pub use jobs::{Counts, JobFilter, JobPage, JobRecord, JobState, TaskPage};
pub use task::{
    ArtifactRecord, ProviderRef, TaskRecord, TaskState, TaskTiming, TraceStep, VariantRecord,
};
pub use upload::Upload;

use crate::driver::NewJob;

/// Where and how much is stored.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The folder of what survives the process; none keeps all in memory.
    pub folder: Option<PathBuf>,
    /// Bytes of all blobs together.
    pub stored_bytes_max: u64,
    /// Bytes of one blob.
    pub blob_bytes_max: u64,
    /// Bytes of results that are kept: beyond, the oldest jobs that have ended
    /// are forgotten.
    pub result_bytes_max: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            folder: None,
            stored_bytes_max: STORED_BYTES_MAX,
            blob_bytes_max: BLOB_BYTES_MAX,
            result_bytes_max: 2 * GIB,
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
}

/// All that the broker remembers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    blobs: Arc<blobs::Blobs>,
    jobs: Arc<jobs::Jobs>,
}

impl Store {
    /// Opens the folder, or starts empty in memory.
    ///
    /// # Errors
    /// If the folder can't be used.
    pub async fn open(settings: StoreSettings) -> io::Result<Self> {
        let jobs = Arc::new(jobs::Jobs::new(settings.result_bytes_max));
        let open = move || blobs::Blobs::open(&settings);
        let blobs = tokio::task::spawn_blocking(open)
            .await
            .map_err(io::Error::other)??;
        Ok(Self {
            blobs: Arc::new(blobs),
            jobs,
        })
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

    /// Keeps a job; its blobs are kept until it ends.
    ///
    /// # Errors
    /// If its idempotency key is another job's.
    pub async fn insert_job(&self, id: JobId, new: &NewJob) -> Result<(), StoreError> {
        let mut used = vec![new.module.digest];
        match &new.tasks {
            crate::driver::Tasks::Count { spec, .. } => {
                used.extend(spec.blobs().map(|blob| blob.digest));
            }
            crate::driver::Tasks::Each(specs) => {
                used.extend(
                    specs
                        .iter()
                        .flat_map(|spec| spec.blobs())
                        .map(|blob| blob.digest),
                );
            }
        }
        let pin = self.blobs.pin(used);
        self.jobs.insert(JobRecord::of(id, new), pin)
    }

    /// Keeps how tasks ended; those of unknown jobs and those that ended before
    /// are left out.
    pub async fn finish_tasks(&self, ended: Vec<(JobId, u32, TaskRecord)>) {
        self.jobs.finish_tasks(ended);
    }
}

#[cfg(test)]
mod tests;
