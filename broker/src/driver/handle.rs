//! What others hold to talk to the driver.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use wasipool_shared::api;
use wasipool_shared::capacity::Capacity;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};
use wasipool_shared::task::{Fault, Outcome, Timing};

use super::feed::JobFeed;
use super::new_job::NewJob;
use super::operator::Operation;
use super::states::{PhasePage, TaskPhase};
use super::view::{JobLoad, OpenTask};
use super::waiting::{QueueFull, Waiting};
use super::watch::PoolUpdate;
use crate::clock::Clock;
use crate::store::{Store, StoreError, TaskRecord};
use crate::transport::outbox::Outbox;

/// Why a job isn't accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// As many tasks wait or run as are allowed.
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// The broker stops.
    #[error("the broker is stopping")]
    Stopped,
    /// The job couldn't be stored.
    #[error("the job couldn't be stored: {0}")]
    Store(#[from] StoreError),
}

/// Commands that wait for the driver; senders wait when it is full.
pub(super) const COMMANDS_MAX: usize = 8_192;

/// What a provider that joins brings.
#[derive(Debug)]
pub struct Joined {
    /// Its name for this session.
    pub provider: ProviderId,
    /// What people call it.
    pub name: String,
    /// Where it runs.
    pub kind: wasipool_shared::capacity::ProviderKind,
    /// What carries its session.
    pub transport: wasipool_shared::transport::TransportKind,
    /// Program and version, or the browser's.
    pub agent: String,
    /// What it offers.
    pub capacity: Capacity,
    /// Where it connects from.
    pub address: IpAddr,
    /// Providers of one group of addresses don't count as different for a
    /// quorum, and neither do those of one account.
    pub group: u64,
    /// Whose token let it in; 0 is nobody in particular.
    pub account: u64,
    /// Where messages for it go.
    pub outbox: Arc<Outbox>,
}

/// A guest's run, complete with all its outputs.
#[derive(Debug)]
pub struct Finished {
    /// The fencing number.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it wrote to stdout.
    pub stdout: bytes::Bytes,
    /// What it wrote to stderr.
    pub stderr: bytes::Bytes,
    /// Path and content of the files that were asked for.
    pub artifacts: Vec<(String, bytes::Bytes)>,
    /// Where its time went there.
    pub timing: Timing,
}

/// What happened, for the driver to put in order.
#[derive(Debug)]
pub(super) enum Command {
    Submit {
        job: JobId,
        new: Box<NewJob>,
        reply: Option<oneshot::Sender<TaskRecord>>,
    },
    Cancel {
        job: JobId,
        reply: Option<oneshot::Sender<bool>>,
    },
    Join(Box<Joined>),
    Capacity {
        provider: ProviderId,
        capacity: Capacity,
    },
    RoundTrip {
        provider: ProviderId,
        micros: u32,
    },
    Drain {
        provider: ProviderId,
    },
    Leave {
        provider: ProviderId,
        reason: String,
    },
    Finished {
        provider: ProviderId,
        finished: Box<Finished>,
    },
    Failed {
        provider: ProviderId,
        attempt: AttemptId,
        fault: Fault,
    },
    Returned {
        provider: ProviderId,
        attempt: AttemptId,
    },
    Operate(Operation),
    Providers {
        reply: oneshot::Sender<Vec<api::PoolProvider>>,
    },
    Stats {
        reply: oneshot::Sender<api::Stats>,
    },
    JobLoad {
        job: JobId,
        reply: oneshot::Sender<Option<JobLoad>>,
    },
    Tasks {
        job: JobId,
        wanted: Option<TaskPhase>,
        from: u32,
        limit: usize,
        reply: oneshot::Sender<Option<PhasePage>>,
    },
    OpenTask {
        task: TaskId,
        reply: oneshot::Sender<Option<OpenTask>>,
    },
    WatchJob {
        job: JobId,
        reply: oneshot::Sender<Option<Arc<JobFeed>>>,
    },
    WatchPool {
        reply: oneshot::Sender<mpsc::Receiver<PoolUpdate>>,
    },
}

/// Talks to the driver; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) waiting: Waiting,
}

impl Handle {
    /// Accepts a job: returns once it is stored, which is the promise of a 202.
    ///
    /// # Errors
    /// If the queue is full, the store fails, or the broker stops.
    pub async fn submit(&self, new: NewJob) -> Result<JobId, SubmitError> {
        let tasks = u64::from(new.tasks.len());
        self.waiting.reserve(new.owner, tasks)?;
        let handle = self.clone();
        // On its own: a client that goes away in between must not leave a job
        // that is stored and never run.
        let stored = tokio::spawn(async move { handle.store_and_run(new).await });
        stored.await.unwrap_or(Err(SubmitError::Stopped))
    }

    async fn store_and_run(self, new: NewJob) -> Result<JobId, SubmitError> {
        let job = self.clock.job_id();
        if let Err(error) = self.store.insert_job(job, &new).await {
            let tasks = u64::from(new.tasks.len());
            self.waiting.release(new.owner, tasks);
            return Err(error.into());
        }
        let command = Command::Submit {
            job,
            new: Box::new(new),
            reply: None,
        };
        self.commands
            .send(command)
            .await
            .map_err(|_| SubmitError::Stopped)?;
        Ok(job)
    }

    /// Runs one task whose client waits: nothing of it is stored. If the
    /// returned future is dropped, the task is cancelled.
    ///
    /// # Errors
    /// If the queue is full or the broker stops.
    pub async fn run(&self, new: NewJob) -> Result<(JobId, TaskRecord), SubmitError> {
        let tasks = u64::from(new.tasks.len());
        self.waiting.reserve(new.owner, tasks)?;
        let job = self.clock.job_id();
        let (reply, result) = oneshot::channel();
        let command = Command::Submit {
            job,
            new: Box::new(new),
            reply: Some(reply),
        };
        self.commands
            .send(command)
            .await
            .map_err(|_| SubmitError::Stopped)?;
        let mut guard = CancelOnDrop {
            handle: self,
            job: Some(job),
        };
        let record = result.await.map_err(|_| SubmitError::Stopped)?;
        guard.job = None;
        Ok((job, record))
    }

    /// Cancels a job, which is known after a restart too; false if it is unknown
    /// or has ended.
    pub async fn cancel(&self, job: JobId) -> bool {
        let cancelled = self.ask(|reply| Command::Cancel {
            job,
            reply: Some(reply),
        });
        let cancelled = cancelled.await.unwrap_or(false);
        if cancelled && let Err(error) = self.store.cancel_job(job).await {
            tracing::warn!(%job, %error, "that a job was cancelled isn't stored");
        }
        cancelled
    }

    /// The pool as it is now.
    pub async fn providers(&self) -> Vec<api::PoolProvider> {
        self.ask(|reply| Command::Providers { reply })
            .await
            .unwrap_or_default()
    }

    /// What the broker does as a whole; nothing if it stops.
    pub async fn stats(&self) -> Option<api::Stats> {
        self.ask(|reply| Command::Stats { reply }).await
    }

    /// Where a job's tasks are; nothing if it is unknown or has ended.
    pub async fn job_load(&self, job: JobId) -> Option<JobLoad> {
        self.ask(|reply| Command::JobLoad { job, reply })
            .await
            .flatten()
    }

    /// Tasks of a job from `from` on that do `wanted`, at most `limit`; nothing if
    /// the job is unknown or has ended.
    pub async fn tasks(
        &self,
        job: JobId,
        wanted: Option<TaskPhase>,
        from: u32,
        limit: usize,
    ) -> Option<PhasePage> {
        self.ask(|reply| Command::Tasks {
            job,
            wanted,
            from,
            limit,
            reply,
        })
        .await
        .flatten()
    }

    /// A task as it is now; nothing if it is unknown or has ended.
    pub async fn open_task(&self, task: TaskId) -> Option<OpenTask> {
        self.ask(|reply| Command::OpenTask { task, reply })
            .await
            .flatten()
    }

    /// What the tasks of a job do, as it changes; nothing if the job is unknown or
    /// has ended.
    pub async fn watch_job(&self, job: JobId) -> Option<Arc<JobFeed>> {
        self.ask(|reply| Command::WatchJob { job, reply })
            .await
            .flatten()
    }

    /// What changes in the pool, all of it first. There is one who watches: the
    /// last who asked. Nothing if the broker stops.
    pub async fn watch_pool(&self) -> Option<mpsc::Receiver<PoolUpdate>> {
        self.ask(|reply| Command::WatchPool { reply }).await
    }

    /// A provider is in.
    pub async fn join(&self, joined: Joined) {
        self.tell(Command::Join(Box::new(joined))).await;
    }

    /// A provider's capacity has changed.
    pub async fn capacity(&self, provider: ProviderId, capacity: Capacity) {
        self.tell(Command::Capacity { provider, capacity }).await;
    }

    /// A provider's round trip was measured.
    pub async fn round_trip(&self, provider: ProviderId, micros: u32) {
        self.tell(Command::RoundTrip { provider, micros }).await;
    }

    /// A provider takes no new tasks.
    pub async fn drain(&self, provider: ProviderId) {
        self.tell(Command::Drain { provider }).await;
    }

    /// A provider is gone.
    pub async fn leave(&self, provider: ProviderId, reason: String) {
        self.tell(Command::Leave { provider, reason }).await;
    }

    /// A guest has ended at a provider.
    pub async fn finished(&self, provider: ProviderId, finished: Finished) {
        self.tell(Command::Finished {
            provider,
            finished: Box::new(finished),
        })
        .await;
    }

    /// An attempt has failed by the provider's fault.
    pub async fn failed(&self, provider: ProviderId, attempt: AttemptId, fault: Fault) {
        self.tell(Command::Failed {
            provider,
            attempt,
            fault,
        })
        .await;
    }

    /// A provider gives back what it hasn't started.
    pub async fn returned(&self, provider: ProviderId, attempt: AttemptId) {
        self.tell(Command::Returned { provider, attempt }).await;
    }

    /// The driver is gone only while the broker stops: nothing is lost by not
    /// telling it any more.
    async fn tell(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

struct CancelOnDrop<'a> {
    handle: &'a Handle,
    job: Option<JobId>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(job) = self.job {
            let commands = self.handle.commands.clone();
            let cancel = Command::Cancel { job, reply: None };
            if let Err(mpsc::error::TrySendError::Full(cancel)) = commands.try_send(cancel) {
                tokio::spawn(async move {
                    let _ = commands.send(cancel).await;
                });
            }
        }
    }
}
