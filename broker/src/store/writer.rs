//! The one thread that writes to the database.
//!
//! It takes whatever waits, writes it in one transaction, and tells whoever
//! waits once that is on the disk; meanwhile the next lot gathers. So a commit
//! is shared by more the busier the broker is, and nobody waits for a timer.
//!
//! If the disk can't be written, jobs are refused, and results are kept and
//! tried again: they are seen by nobody before.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use wasipool_shared::ids::JobId;

use super::inbox::{Answer, Arrived, Inbox, Insert, Request};
use super::index::Pin;
use super::job::{Ended, JobRecord};
use super::packed::Packed;
use super::sql::Database;
use super::sql::jobs::{self, Key};
use super::sql::results;
use super::task::TaskRecord;
use super::{OpenError, StoreError};
use crate::clock::system_unix_ms;
use crate::metrics::{Metrics, NO_LABELS};

/// KiB of results that may wait to be written; who brings more waits.
const ROOM_KIB: u32 = 256 * 1024;
/// Results that are handed over together.
const TOGETHER_MAX: usize = 4_096;
/// How long results wait before they are tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A job that hasn't ended.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) record: Mutex<JobRecord>,
    /// Counts changes: says that there is something new, not what.
    pub(super) changes: watch::Sender<u64>,
    /// Keeps its blobs.
    _pin: Pin,
}

impl Job {
    pub(super) fn new(key: Key, record: JobRecord, pin: Pin) -> Self {
        Self {
            key,
            record: Mutex::new(record),
            changes: watch::Sender::new(0),
            _pin: pin,
        }
    }
}

/// What the writer and those who read have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) database: Database,
    /// Jobs that haven't ended.
    pub(super) live: RwLock<HashMap<JobId, Arc<Job>>>,
    /// Bytes of the results of all jobs.
    pub(super) bytes: AtomicU64,
    /// Beyond this the oldest that have ended are forgotten.
    pub(super) bytes_max: u64,
    /// Wakes who does it.
    pub(super) over: Notify,
    /// Why nothing can be written at present.
    pub(super) failure: Mutex<Option<String>>,
}

/// Hands things to the thread; ends it when dropped.
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Starts the thread.
pub(super) fn start(
    database: Database,
    bytes_max: u64,
    metrics: Metrics,
) -> Result<(Arc<Shared>, Arc<Writer>), OpenError> {
    let next = database.read(jobs::next_key)?;
    let bytes = database.read(jobs::bytes)?;
    let shared = Arc::new(Shared {
        database,
        live: RwLock::default(),
        bytes: AtomicU64::new(bytes),
        bytes_max,
        over: Notify::new(),
        failure: Mutex::default(),
    });
    let writer = Writer::start(shared.clone(), next, metrics)?;
    Ok((shared, Arc::new(writer)))
}

impl Writer {
    /// `next` is the key of the next job.
    fn start(shared: Arc<Shared>, next: Key, metrics: Metrics) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let thread = Thread {
            inbox: inbox.clone(),
            shared,
            metrics,
            next,
            pending: Vec::new(),
            room: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            inbox,
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            thread: Some(thread),
        })
    }

    /// Returns once it is on the disk.
    pub(super) async fn write(&self, request: Request) -> Result<(), StoreError> {
        let (answer, written) = oneshot::channel();
        self.inbox.request(request, answer);
        written.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// As [`write`](Self::write), for a change.
    pub(super) async fn change(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write(Request::Change(Box::new(change))).await
    }

    /// Hands results over; waits only while too many wait already.
    pub(super) async fn results(&self, mut results: Vec<(JobId, u32, TaskRecord)>) {
        while !results.is_empty() {
            let rest = results.split_off(results.len().min(TOGETHER_MAX));
            let kib = |record: &TaskRecord| 1 + record.output_bytes() / 1024;
            let kib: usize = results.iter().map(|(_, _, record)| kib(record)).sum();
            let kib = u32::try_from(kib).unwrap_or(ROOM_KIB).min(ROOM_KIB);
            let Ok(room) = self.room.clone().acquire_many_owned(kib).await else {
                return;
            };
            self.inbox.results(Arrived { results, room });
            results = rest;
        }
    }

    /// Returns once all results that were handed over are on the disk.
    pub(super) async fn flush(&self) {
        // Then none of them takes any room.
        drop(self.room.acquire_many(ROOM_KIB).await);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes to the database has panicked");
        }
    }
}

/// A result that isn't on the disk yet.
struct Pending {
    job: JobId,
    index: u32,
    packed: Packed,
    ended: Ended,
}

struct Thread {
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
    metrics: Metrics,
    next: Key,
    pending: Vec<Pending>,
    /// What `pending` takes.
    room: Vec<OwnedSemaphorePermit>,
}

/// What a transaction changes beside the database, once it is committed.
#[derive(Default)]
struct Batch {
    inserted: Vec<Job>,
    progress: HashMap<JobId, Progress>,
    /// By request: why it alone came to nothing.
    refused: Vec<Option<StoreError>>,
    bytes: u64,
}

struct Progress {
    job: Arc<Job>,
    record: JobRecord,
}

impl Thread {
    fn run(mut self) {
        loop {
            let limit = (!self.pending.is_empty()).then_some(RETRY);
            let Some(taken) = self.inbox.take(limit) else {
                break;
            };
            for arrived in taken.results {
                self.pending.extend(arrived.results.into_iter().map(pack));
                self.room.push(arrived.room);
            }
            let (requests, answers): (Vec<_>, Vec<_>) = taken.requests.into_iter().unzip();
            match self.write(requests) {
                Ok(batch) => self.committed(batch, answers),
                Err(error) => self.failed(&error, answers),
            }
        }
        if !self.pending.is_empty() {
            tracing::warn!(
                results = self.pending.len(),
                "results could not be stored: their tasks run again after a restart"
            );
        }
    }

    /// One transaction.
    fn write(&mut self, requests: Vec<Request>) -> rusqlite::Result<Batch> {
        let shared = self.shared.clone();
        let mut writer = shared.database.writer();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::default();
        for request in requests {
            let refused = match request {
                Request::Insert(insert) => self.insert(&transaction, *insert, &mut batch)?,
                Request::Change(change) => refused(change(&transaction))?,
            };
            batch.refused.push(refused);
        }
        for pending in &self.pending {
            self.add(&transaction, pending, &mut batch)?;
        }
        for progress in batch.progress.values() {
            jobs::update(&transaction, progress.job.key, &progress.record)?;
        }
        transaction.commit()?;
        Ok(batch)
    }

    fn insert(
        &self,
        connection: &Connection,
        insert: Insert,
        batch: &mut Batch,
    ) -> rusqlite::Result<Option<StoreError>> {
        let Insert { record, spec, pin } = insert;
        if let Some(key) = &record.idempotency_key
            && let Some(first) = jobs::by_idempotency_key(connection, key)?
        {
            return Ok(Some(StoreError::KeyTaken(first)));
        }
        let key = self.next + batch.inserted.len() as Key;
        jobs::insert(connection, key, &record, &spec)?;
        batch.inserted.push(Job::new(key, record, pin));
        Ok(None)
    }

    /// Writes one result, unless its job is unknown or its task has one.
    fn add(
        &self,
        connection: &Connection,
        pending: &Pending,
        batch: &mut Batch,
    ) -> rusqlite::Result<()> {
        let progress = match batch.progress.get_mut(&pending.job) {
            Some(progress) => progress,
            None => {
                let Some(job) = self.shared.live.read().get(&pending.job).cloned() else {
                    return Ok(());
                };
                let record = job.record.lock().clone();
                let progress = Progress { job, record };
                batch.progress.entry(pending.job).or_insert(progress)
            }
        };
        let record = &mut progress.record;
        if pending.index >= record.tasks {
            return Ok(());
        }
        let nth = record.counts.ended();
        let key = progress.job.key;
        if results::insert(connection, key, nth, pending.index, &pending.packed)? {
            record.add(&pending.ended);
            batch.bytes += pending.ended.bytes;
        }
        Ok(())
    }

    /// All of it is on the disk: now everybody may know.
    fn committed(&mut self, batch: Batch, answers: Vec<Answer>) {
        self.next += batch.inserted.len() as Key;
        let count = |name, by| self.metrics.counter(name, NO_LABELS).increment(by);
        count("wasipool_store_commits_total", 1);
        count("wasipool_store_results_total", self.pending.len() as u64);
        self.pending.clear();
        let before = self.shared.bytes.fetch_add(batch.bytes, Ordering::Relaxed);
        if before + batch.bytes > self.shared.bytes_max {
            self.shared.over.notify_one();
        }
        let mut live = self.shared.live.write();
        for job in batch.inserted {
            let id = job.record.lock().id;
            live.insert(id, Arc::new(job));
        }
        for (id, progress) in &batch.progress {
            // What has ended is read from the database from now on.
            if progress.record.ended_unix_ms.is_some() {
                live.remove(id);
            }
        }
        drop(live);
        for Progress { job, record } in batch.progress.into_values() {
            *job.record.lock() = record;
            job.changes.send_modify(|changes| *changes += 1);
        }
        if self.shared.failure.lock().take().is_some() {
            tracing::info!("the database can be written again");
        }
        // Who waits for room, waits until all is seen.
        self.room.clear();
        for (answer, refused) in answers.into_iter().zip(batch.refused) {
            // Who asked may have gone away meanwhile.
            let _ = answer.send(refused.map_or(Ok(()), Err));
        }
    }

    fn failed(&self, error: &rusqlite::Error, answers: Vec<Answer>) {
        let reason = error.to_string();
        let before = self.shared.failure.lock().replace(reason.clone());
        if before.is_none_or(|before| before != reason) {
            tracing::error!(reason, "the database can't be written");
        }
        for answer in answers {
            let _ = answer.send(Err(StoreError::from(error)));
        }
    }
}

/// A change that contradicts what is there fails alone; all else is a failure of
/// the whole transaction.
fn refused(changed: rusqlite::Result<()>) -> rusqlite::Result<Option<StoreError>> {
    match changed {
        Ok(()) => Ok(None),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(Some(StoreError::from(&error)))
        }
        Err(error) => Err(error),
    }
}

fn pack((job, index, record): (JobId, u32, TaskRecord)) -> Pending {
    let ended_unix_ms = system_unix_ms();
    let spent_ms = (record.timing.total_ms - record.timing.queued_ms).max(0.0);
    let started_unix_ms = ended_unix_ms.saturating_sub(spent_ms as u64);
    let ran = record.attempts > 0;
    let packed = Packed::new(record);
    let ended = Ended {
        state: packed.state,
        started_unix_ms: ran.then_some(started_unix_ms),
        ended_unix_ms,
        bytes: packed.size(),
    };
    Pending {
        job,
        index,
        packed,
        ended,
    }
}
