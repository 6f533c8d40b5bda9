//! Jobs and their results, for those who read them.
//!
//! A job that hasn't ended is in memory, without its results; all else is read
//! from the database when it is asked for. Nothing is seen here before it is
//! committed.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::watch;
use wasipool_shared::ids::JobId;

use super::StoreError;
use super::blobs::Blobs;
use super::inbox::{Insert, Request};
use super::index::Pin;
pub use super::job::TaskFilter;
use super::job::{JobFilter, JobPage, JobRecord, TaskPage};
use super::sql::jobs::Key;
use super::sql::{OpenError, jobs, results};
use super::task::{TaskRecord, TaskState};
use super::writer::{Job, Shared, Writer};
use super::{Keep, Resumable, spec};

/// All jobs.
#[derive(Debug)]
pub struct Jobs {
    pub(super) shared: Arc<Shared>,
    pub(super) writer: Arc<Writer>,
    pub(super) reading: Mutex<Reading>,
    pub(super) keep: Keep,
}

/// Jobs that have ended, for whom they matter at present.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// They are being read.
    watched: HashMap<JobId, watch::Sender<u64>>,
    /// They are being removed: nobody may begin to read them.
    pub(super) forgetting: HashSet<JobId>,
}

impl Reading {
    /// Those that are being read.
    pub(super) fn used(&mut self) -> impl Iterator<Item = JobId> {
        self.watched.retain(|_, sender| sender.receiver_count() > 0);
        self.watched.keys().copied()
    }
}

impl Jobs {
    /// Takes up what the database holds; gives the jobs that haven't ended.
    pub(super) fn open(
        shared: Arc<Shared>,
        writer: Arc<Writer>,
        blobs: &Blobs,
        keep: Keep,
    ) -> Result<(Self, Vec<Resumable>), OpenError> {
        let database = &shared.database;
        let mut live = HashMap::new();
        let mut resumable = Vec::new();
        for open in database.read(jobs::open)? {
            let id = open.record.id;
            let new = match spec::decode(&open.record, &open.spec) {
                Ok(new) => new,
                Err(error) => {
                    tracing::error!(job = %id, %error, "a job can't be gone on with");
                    continue;
                }
            };
            let tasks = open.record.tasks;
            resumable.push(Resumable {
                id,
                states: database.read(|reader| states(reader, open.key, 0..tasks))?,
                record: open.record.clone(),
                cancelled: open.cancelled,
                new: Box::new(new),
            });
            let pin = blobs.pin(resumable.last().map_or(Vec::new(), |job| job.new.blobs()));
            live.insert(id, Arc::new(Job::new(open.key, open.record, pin)));
        }
        *shared.live.write() = live;
        let jobs = Self {
            shared,
            writer,
            reading: Mutex::default(),
            keep,
        };
        Ok((jobs, resumable))
    }

    pub(super) async fn insert(
        &self,
        record: JobRecord,
        spec: Vec<u8>,
        pin: Pin,
    ) -> Result<(), StoreError> {
        let insert = Insert { record, spec, pin };
        self.writer.write(Request::Insert(Box::new(insert))).await
    }

    /// Why nothing can be written at present.
    pub(super) fn failure(&self) -> Option<String> {
        self.shared.failure.lock().clone()
    }

    /// Bytes of the results of all jobs.
    pub(super) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    fn live(&self, id: JobId) -> Option<Arc<Job>> {
        self.shared.live.read().get(&id).cloned()
    }

    /// Reads the database on a thread that may be blocked; nothing if it can't be
    /// read.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Option<T> {
        let shared = self.shared.clone();
        let read = tokio::task::spawn_blocking(move || shared.database.read(read));
        match read.await {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                tracing::error!(%error, "the database can't be read");
                None
            }
            Err(error) => {
                tracing::error!(%error, "reading the database was broken off");
                None
            }
        }
    }

    /// The key and number of tasks of a job, if it is known.
    async fn key(&self, id: JobId) -> Option<(Key, u32)> {
        if let Some(job) = self.live(id) {
            let tasks = job.record.lock().tasks;
            return Some((job.key, tasks));
        }
        let (key, record) = self.read(move |reader| jobs::find(reader, id)).await??;
        Some((key, record.tasks))
    }

    /// A job, if it is known.
    pub async fn job(&self, id: JobId) -> Option<JobRecord> {
        if let Some(job) = self.live(id) {
            return Some(job.record.lock().clone());
        }
        let found = self.read(move |reader| jobs::find(reader, id)).await?;
        found.map(|(_, record)| record)
    }

    /// The job of an idempotency key.
    pub async fn by_key(&self, key: &str) -> Option<JobId> {
        let key = key.to_owned();
        self.read(move |reader| jobs::by_idempotency_key(reader, &key))
            .await?
    }

    /// Jobs older than `after`, the newest first, at most `limit`.
    pub async fn list(&self, filter: &JobFilter, after: Option<JobId>, limit: usize) -> JobPage {
        let filter = filter.clone();
        let read = move |reader: &Connection| {
            let mut page = JobPage::default();
            jobs::newest(reader, after, |record| {
                if !filter.matches(&record) {
                    return true;
                }
                if page.items.len() == limit {
                    page.next = page.items.last().map(|last| last.id);
                    return false;
                }
                page.items.push(record);
                true
            })?;
            Ok(page)
        };
        self.read(read).await.unwrap_or_default()
    }

    /// How a task ended; nothing as long as it hasn't.
    pub async fn task(&self, id: JobId, index: u32) -> Option<TaskRecord> {
        let (key, _) = self.key(id).await?;
        self.read(move |reader| results::of_task(reader, key, index))
            .await?
    }

    /// Tasks from `from` on, in order, at most `limit`; fewer if their outputs
    /// are large.
    pub async fn tasks(&self, id: JobId, filter: TaskFilter, from: u32, limit: usize) -> TaskPage {
        let Some((key, tasks)) = self.key(id).await else {
            return TaskPage::default();
        };
        let read = move |reader: &Connection| match filter {
            TaskFilter::All => all_tasks(reader, key, from..tasks, limit),
            TaskFilter::Open => open_page(reader, key, from..tasks, limit),
            TaskFilter::Ended(state) => {
                let (found, next) =
                    results::by_index(reader, key, from..tasks, Some(state), limit)?;
                let items = found
                    .into_iter()
                    .map(|(index, record)| (index, Some(record)));
                Ok(TaskPage {
                    items: items.collect(),
                    next,
                })
            }
        };
        self.read(read).await.unwrap_or_default()
    }

    /// How the tasks from `from` on ended, if they did, at most `limit`. Reads no
    /// results.
    pub async fn states(&self, id: JobId, from: u32, limit: usize) -> Vec<Option<TaskState>> {
        let Some((key, tasks)) = self.key(id).await else {
            return Vec::new();
        };
        let indexes = from..page_end(&(from..tasks), limit);
        self.read(move |reader| states(reader, key, indexes))
            .await
            .unwrap_or_default()
    }

    /// Results from the `from`th that came on, in the order in which they came,
    /// at most `limit`; fewer if their outputs are large.
    pub async fn completed(&self, id: JobId, from: usize, limit: usize) -> Vec<(u32, TaskRecord)> {
        let (Some((key, _)), Ok(from)) = (self.key(id).await, u32::try_from(from)) else {
            return Vec::new();
        };
        self.read(move |reader| results::by_completion(reader, key, from, limit))
            .await
            .unwrap_or_default()
    }

    /// Tells of each change of a job; what changed is to be read from here. The
    /// job isn't forgotten as long as the receiver is there.
    #[must_use]
    pub fn subscribe(&self, id: JobId) -> Option<watch::Receiver<u64>> {
        if let Some(job) = self.live(id) {
            return Some(job.changes.subscribe());
        }
        // Under the lock: the cleaner looks there before it forgets a job.
        let mut reading = self.reading.lock();
        if reading.forgetting.contains(&id) {
            return None;
        }
        let found = self.shared.database.read(|reader| jobs::find(reader, id));
        found.ok()??;
        let watched = &mut reading.watched;
        let sender = watched.entry(id).or_insert_with(|| watch::Sender::new(0));
        Some(sender.subscribe())
    }
}

/// How each of the tasks ended, if it did.
fn states(
    reader: &Connection,
    key: Key,
    indexes: Range<u32>,
) -> rusqlite::Result<Vec<Option<TaskState>>> {
    let mut states = vec![None; indexes.len()];
    results::states(reader, key, indexes, |at, state| states[at] = Some(state))?;
    Ok(states)
}

/// Where a page of these tasks ends.
fn page_end(tasks: &Range<u32>, limit: usize) -> u32 {
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let end = tasks.start.saturating_add(limit);
    end.min(tasks.end).max(tasks.start)
}

fn all_tasks(
    reader: &Connection,
    key: Key,
    tasks: Range<u32>,
    limit: usize,
) -> rusqlite::Result<TaskPage> {
    let end = page_end(&tasks, limit);
    let (found, cut) = results::by_index(reader, key, tasks.start..end, None, limit)?;
    let end = cut.unwrap_or(end);
    let mut found = found.into_iter().peekable();
    let item = |index| {
        (
            index,
            found
                .next_if(|(at, _)| *at == index)
                .map(|(_, record)| record),
        )
    };
    let items = (tasks.start..end).map(item).collect();
    Ok(TaskPage {
        items,
        next: (end < tasks.end).then_some(end),
    })
}

fn open_page(
    reader: &Connection,
    key: Key,
    tasks: Range<u32>,
    limit: usize,
) -> rusqlite::Result<TaskPage> {
    let mut page = TaskPage::default();
    let mut at = tasks.start;
    let mut fill = |page: &mut TaskPage, to: u32| {
        while at < to {
            if page.items.len() == limit {
                page.next = Some(at);
                return false;
            }
            page.items.push((at, None));
            at += 1;
        }
        at = to + 1;
        true
    };
    let mut more = true;
    results::ended(reader, key, tasks.start, |index| {
        more = fill(&mut page, index);
        more
    })?;
    if more {
        fill(&mut page, tasks.end);
    }
    Ok(page)
}
