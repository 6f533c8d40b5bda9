//! Forgets jobs that have ended: those that are older than they are kept, and
//! the oldest when results take more room than they may.
//!
//! A job that somebody reads just now is left for the next time.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;
use wasipool_shared::ids::JobId;

use super::jobs::Jobs;
use super::sql::{forget, jobs};
use super::{Keep, StoreError};
use crate::clock::system_unix_ms;

/// How often it is looked at what has become too old.
const EVERY: Duration = Duration::from_secs(60);
/// The shortest time between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// Jobs that are forgotten together.
const JOBS: usize = 256;

impl Jobs {
    /// Cleans for ever.
    pub(super) async fn keep_clean(&self) {
        loop {
            if let Err(error) = self.clean(system_unix_ms()).await {
                tracing::warn!(%error, "old jobs can't be removed");
            }
            tokio::time::sleep(PAUSE).await;
            // Either way there is something to look at.
            let _ = tokio::time::timeout(EVERY, self.shared.over.notified()).await;
        }
    }

    /// Forgets what is too old or too much; says how many jobs.
    pub(super) async fn clean(&self, now_unix_ms: u64) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        loop {
            let chosen = self.choose(now_unix_ms).await;
            if chosen.is_empty() {
                break;
            }
            let done = self.forget(&chosen).await;
            let mut reading = self.reading.lock();
            reading.forgetting.clear();
            drop(reading);
            done?;
            forgotten += chosen.len();
        }
        if forgotten > 0 {
            tracing::info!(jobs = forgotten, "old jobs were forgotten");
        }
        self.sweep().await?;
        Ok(forgotten)
    }

    /// Some jobs to forget; nobody can begin to read them any more.
    async fn choose(&self, now_unix_ms: u64) -> Vec<jobs::EndedJob> {
        let Keep { time, bytes } = self.keep;
        let too_old = move |job: &jobs::EndedJob| {
            time.is_some_and(|time| {
                let kept_until = u128::from(job.ended_unix_ms) + time.as_millis();
                kept_until < u128::from(now_unix_ms)
            })
        };
        let mut over = self
            .shared
            .bytes
            .load(Ordering::Relaxed)
            .saturating_sub(bytes);
        let used: HashSet<JobId> = self.reading.lock().used().collect();
        let read = move |reader: &Connection| {
            let mut chosen = Vec::new();
            jobs::ended(reader, |job| {
                if over == 0 && !too_old(&job) {
                    return false;
                }
                if !used.contains(&job.id) {
                    over = over.saturating_sub(job.bytes);
                    chosen.push(job);
                }
                chosen.len() < JOBS
            })?;
            Ok(chosen)
        };
        let mut chosen = self.read(read).await.unwrap_or_default();
        let mut reading = self.reading.lock();
        let used: HashSet<JobId> = reading.used().collect();
        chosen.retain(|job| !used.contains(&job.id));
        reading.forgetting = chosen.iter().map(|job| job.id).collect();
        chosen
    }

    async fn forget(&self, chosen: &[jobs::EndedJob]) -> Result<(), StoreError> {
        let keys: Vec<_> = chosen.iter().map(|job| job.key).collect();
        self.writer
            .change(move |writer| forget::jobs(writer, &keys))
            .await?;
        let bytes: u64 = chosen.iter().map(|job| job.bytes).sum();
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Removes what is left of jobs that were forgotten, a little at a time:
    /// others write in between.
    async fn sweep(&self) -> Result<(), StoreError> {
        loop {
            let left = self.read(forget::is_left).await.unwrap_or(false);
            if !left {
                return Ok(());
            }
            self.writer.change(forget::sweep).await?;
        }
    }
}
