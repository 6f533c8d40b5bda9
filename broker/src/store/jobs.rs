//! Jobs, their results in order, and who waits for them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::JobId;

use super::StoreError;
use super::blobs::Pin;
use super::packed::Packed;
use super::task::{TaskRecord, TaskState};
use crate::driver::NewJob;

/// A job, as far as its tasks have ended.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// Its name here.
    pub id: JobId,
    /// What its owner calls it.
    pub name: Option<String>,
    /// How the owner named the module.
    pub module_reference: String,
    /// The module.
    pub module: Digest,
    /// How many tasks it has.
    pub tasks: u32,
    /// Its share against others.
    pub priority: i8,
    /// The owner's own marks.
    pub labels: BTreeMap<String, String>,
    /// A resend with the same key is the same job.
    pub idempotency_key: Option<String>,
    /// When it came, in Unix milliseconds.
    pub created_unix_ms: u64,
    /// When its first task started, as far as those that ended tell.
    pub started_unix_ms: Option<u64>,
    /// When its last task ended.
    pub ended_unix_ms: Option<u64>,
    /// How its tasks ended.
    pub counts: Counts,
}

/// How many tasks ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u32; TaskState::ALL.len()]);

impl Counts {
    /// How many ended in that way.
    #[must_use]
    pub fn of(&self, state: TaskState) -> u32 {
        self.0[state as usize]
    }

    /// How many ended.
    #[must_use]
    pub fn ended(&self) -> u32 {
        self.0.iter().sum()
    }

    fn add(&mut self, state: TaskState) {
        self.0[state as usize] += 1;
    }
}

/// How a job as a whole ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Every task succeeded.
    Succeeded,
    /// Some did not.
    Failed,
    /// Some were cancelled.
    Cancelled,
}

impl JobState {
    /// `succeeded`, `failed` or `cancelled`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl JobRecord {
    pub(super) fn of(id: JobId, new: &NewJob) -> Self {
        Self {
            id,
            name: new.name.clone(),
            module_reference: new.module.reference.clone(),
            module: new.module.digest,
            tasks: new.tasks.len(),
            priority: new.priority,
            labels: new.labels.clone(),
            idempotency_key: new.idempotency_key.clone(),
            // The name starts with the time.
            created_unix_ms: u64::try_from(id.0 >> 80).unwrap_or_default(),
            started_unix_ms: None,
            ended_unix_ms: None,
            counts: Counts::default(),
        }
    }

    /// How it ended; nothing as long as it hasn't.
    #[must_use]
    pub fn ended(&self) -> Option<JobState> {
        self.ended_unix_ms?;
        Some(if self.counts.of(TaskState::Cancelled) > 0 {
            JobState::Cancelled
        } else if self.counts.of(TaskState::Succeeded) == self.tasks {
            JobState::Succeeded
        } else {
            JobState::Failed
        })
    }
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Those with all of these labels; one without a value only by its name.
    pub labels: Vec<(String, Option<String>)>,
}

impl JobFilter {
    fn matches(&self, job: &JobRecord) -> bool {
        self.labels.iter().all(|(name, value)| {
            let found = job.labels.get(name);
            found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        })
    }
}

/// Part of the list of jobs.
#[derive(Debug, Clone, Default)]
pub struct JobPage {
    /// The newest first.
    pub items: Vec<JobRecord>,
    /// The job after which the next page starts, if there is one.
    pub next: Option<JobId>,
}

/// Part of the list of a job's tasks.
#[derive(Debug, Clone, Default)]
pub struct TaskPage {
    /// Index and how it ended, if it did.
    pub items: Vec<(u32, Option<TaskRecord>)>,
    /// The index that the next page starts with, if there is one.
    pub next: Option<u32>,
}

/// Which tasks to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskFilter {
    /// All.
    All,
    /// Those that haven't ended.
    Open,
    /// Those that ended in that way.
    Ended(TaskState),
}

/// All jobs.
#[derive(Debug)]
pub struct Jobs {
    jobs: RwLock<BTreeMap<JobId, Arc<Job>>>,
    keys: Mutex<HashMap<String, JobId>>,
    /// Bytes of all results.
    bytes: AtomicU64,
    bytes_max: u64,
}

#[derive(Debug)]
struct Job {
    inner: Mutex<Inner>,
    /// Counts changes: says that there is something new, not what.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    record: JobRecord,
    /// By index; grows with the highest that ended.
    results: Vec<Option<Packed>>,
    /// Indexes, as they ended.
    order: Vec<u32>,
    bytes: u64,
    pin: Option<Pin>,
}

impl Jobs {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            jobs: RwLock::default(),
            keys: Mutex::default(),
            bytes: AtomicU64::new(0),
            bytes_max,
        }
    }

    pub(super) fn insert(&self, record: JobRecord, pin: Pin) -> Result<(), StoreError> {
        if let Some(key) = &record.idempotency_key {
            let mut keys = self.keys.lock();
            if let Some(first) = keys.get(key) {
                return Err(StoreError::KeyTaken(*first));
            }
            keys.insert(key.clone(), record.id);
        }
        let id = record.id;
        let inner = Inner {
            record,
            results: Vec::new(),
            order: Vec::new(),
            bytes: 0,
            pin: Some(pin),
        };
        let job = Job {
            inner: Mutex::new(inner),
            changes: watch::Sender::new(0),
        };
        self.jobs.write().insert(id, Arc::new(job));
        Ok(())
    }

    fn find(&self, id: JobId) -> Option<Arc<Job>> {
        self.jobs.read().get(&id).cloned()
    }

    pub(super) fn finish_tasks(&self, ended: Vec<(JobId, u32, TaskRecord)>) {
        let now_unix_ms = unix_ms();
        let mut changed: HashMap<JobId, Arc<Job>> = HashMap::new();
        for (id, index, record) in ended {
            let job = match changed.get(&id) {
                Some(job) => job,
                None => match self.find(id) {
                    Some(job) => changed.entry(id).or_insert(job),
                    None => continue,
                },
            };
            // Encoded outside of the lock: readers don't wait for it.
            let spent_ms = (record.timing.total_ms - record.timing.queued_ms).max(0.0);
            let started_unix_ms = now_unix_ms.saturating_sub(spent_ms as u64);
            let started_unix_ms = (record.attempts > 0).then_some(started_unix_ms);
            let packed = Packed::new(record);
            let added = job
                .inner
                .lock()
                .add(index, packed, started_unix_ms, now_unix_ms);
            self.bytes.fetch_add(added, Ordering::Relaxed);
        }
        for job in changed.values() {
            job.changes.send_modify(|changes| *changes += 1);
        }
        if self.bytes.load(Ordering::Relaxed) > self.bytes_max {
            self.forget_oldest();
        }
    }

    /// Makes room for results: the oldest jobs that have ended go.
    fn forget_oldest(&self) {
        let mut forgotten = Vec::new();
        let mut jobs = self.jobs.write();
        let mut over = self
            .bytes
            .load(Ordering::Relaxed)
            .saturating_sub(self.bytes_max);
        for (id, job) in jobs.iter() {
            if over == 0 {
                break;
            }
            let inner = job.inner.lock();
            if inner.record.ended_unix_ms.is_some() {
                over = over.saturating_sub(inner.bytes);
                self.bytes.fetch_sub(inner.bytes, Ordering::Relaxed);
                forgotten.push((*id, inner.record.idempotency_key.clone()));
            }
        }
        for (id, _) in &forgotten {
            jobs.remove(id);
        }
        drop(jobs);
        let mut keys = self.keys.lock();
        for key in forgotten.iter().filter_map(|(_, key)| key.as_ref()) {
            keys.remove(key);
        }
        tracing::info!(
            jobs = forgotten.len(),
            "forgot old jobs to make room for results"
        );
    }

    /// A job, if it is known.
    pub async fn job(&self, id: JobId) -> Option<JobRecord> {
        Some(self.find(id)?.inner.lock().record.clone())
    }

    /// The job of an idempotency key.
    pub async fn by_key(&self, key: &str) -> Option<JobId> {
        self.keys.lock().get(key).copied()
    }

    /// Jobs older than `after`, the newest first, at most `limit`.
    pub async fn list(&self, filter: &JobFilter, after: Option<JobId>, limit: usize) -> JobPage {
        let jobs = self.jobs.read();
        let to = after.map_or(Unbounded, Excluded);
        let mut page = JobPage::default();
        for (_, job) in jobs.range((Unbounded, to)).rev() {
            let inner = job.inner.lock();
            if !filter.matches(&inner.record) {
                continue;
            }
            if page.items.len() == limit {
                page.next = page.items.last().map(|last| last.id);
                break;
            }
            page.items.push(inner.record.clone());
        }
        page
    }

    /// How a task ended; nothing as long as it hasn't.
    pub async fn task(&self, id: JobId, index: u32) -> Option<TaskRecord> {
        self.find(id)?.inner.lock().result(index)?.unpack()
    }

    /// Tasks from `from` on, in order, at most `limit`.
    pub async fn tasks(&self, id: JobId, filter: TaskFilter, from: u32, limit: usize) -> TaskPage {
        let mut page = TaskPage::default();
        let Some(job) = self.find(id) else {
            return page;
        };
        let inner = job.inner.lock();
        for index in from..inner.record.tasks {
            let result = inner.result(index);
            let wanted = match filter {
                TaskFilter::All => true,
                TaskFilter::Open => result.is_none(),
                TaskFilter::Ended(state) => result.is_some_and(|packed| packed.state == state),
            };
            if !wanted {
                continue;
            }
            if page.items.len() == limit {
                page.next = Some(index);
                break;
            }
            page.items.push((index, result.and_then(Packed::unpack)));
        }
        page
    }

    /// How the tasks from `from` on ended, if they did, at most `limit`. Reads no
    /// results.
    pub async fn states(&self, id: JobId, from: u32, limit: usize) -> Vec<Option<TaskState>> {
        let Some(job) = self.find(id) else {
            return Vec::new();
        };
        let inner = job.inner.lock();
        let states = (from..inner.record.tasks).take(limit);
        states
            .map(|index| inner.result(index).map(|packed| packed.state))
            .collect()
    }

    /// Results from the `from`th that came on, in the order in which they came.
    pub async fn completed(&self, id: JobId, from: usize, limit: usize) -> Vec<(u32, TaskRecord)> {
        let Some(job) = self.find(id) else {
            return Vec::new();
        };
        let inner = job.inner.lock();
        let order = inner
            .order
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take(limit);
        order
            .filter_map(|index| Some((*index, inner.result(*index)?.unpack()?)))
            .collect()
    }

    /// Tells of each change of a job; what changed is to be read from here.
    #[must_use]
    pub fn subscribe(&self, id: JobId) -> Option<watch::Receiver<u64>> {
        Some(self.find(id)?.changes.subscribe())
    }
}

impl Inner {
    fn result(&self, index: u32) -> Option<&Packed> {
        self.results.get(usize::try_from(index).ok()?)?.as_ref()
    }

    /// Takes a result unless there is one; returns the bytes that it takes.
    fn add(&mut self, index: u32, packed: Packed, started: Option<u64>, now: u64) -> u64 {
        let Ok(at) = usize::try_from(index) else {
            return 0;
        };
        if index >= self.record.tasks || self.result(index).is_some() {
            return 0;
        }
        if self.results.len() <= at {
            self.results.resize_with(at + 1, || None);
        }
        let size = packed.size();
        self.bytes += size;
        self.record.counts.add(packed.state);
        self.results[at] = Some(packed);
        self.order.push(index);
        if let Some(started) = started {
            let started = started.max(self.record.created_unix_ms);
            let before = self.record.started_unix_ms;
            self.record.started_unix_ms =
                Some(before.map_or(started, |before| before.min(started)));
        }
        if self.order.len() as u64 == u64::from(self.record.tasks) {
            self.record.ended_unix_ms = Some(now);
            self.pin = None;
        }
        size
    }
}

fn unix_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
