//! What waits for the writer's thread.
//!
//! Results come in far larger numbers than all else: they wait in a queue of
//! their own, so that a new job isn't behind a million of them.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasipool_shared::ids::JobId;

use super::StoreError;
use super::index::Pin;
use super::job::JobRecord;
use super::task::TaskRecord;

/// Results that one transaction takes, roughly.
const RESULTS_MAX: usize = 8_192;
/// Other things that one transaction takes.
const REQUESTS_MAX: usize = 1_024;

/// Is told once the change is on the disk, or why it isn't.
pub(super) type Answer = oneshot::Sender<Result<(), StoreError>>;
/// A change of the database.
pub(super) type Change = Box<dyn FnOnce(&Connection) -> rusqlite::Result<()> + Send>;

/// Something to be written, for which somebody waits.
pub(super) enum Request {
    Insert(Box<Insert>),
    Change(Change),
}

/// A job to be added.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) record: JobRecord,
    pub(super) spec: Vec<u8>,
    pub(super) pin: Pin,
}

/// Results that came together, and the room that they take.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) results: Vec<(JobId, u32, TaskRecord)>,
    pub(super) room: OwnedSemaphorePermit,
}

/// What the writer takes for one transaction.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) requests: Vec<(Request, Answer)>,
    pub(super) results: Vec<Arrived>,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<(Request, Answer)>,
    results: VecDeque<Arrived>,
    closed: bool,
}

/// The queues.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    came: Condvar,
}

impl Inbox {
    pub(super) fn request(&self, request: Request, answer: Answer) {
        self.waiting.lock().requests.push_back((request, answer));
        self.came.notify_one();
    }

    pub(super) fn results(&self, arrived: Arrived) {
        self.waiting.lock().results.push_back(arrived);
        self.came.notify_one();
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.came.notify_one();
    }

    /// Waits for something, for `limit` at most, and takes what is there up to
    /// the size of a transaction. Nothing when all is taken and nothing will
    /// come.
    pub(super) fn take(&self, limit: Option<Duration>) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        while waiting.requests.is_empty() && waiting.results.is_empty() {
            if waiting.closed {
                return None;
            }
            match limit {
                None => self.came.wait(&mut waiting),
                Some(limit) => {
                    if self.came.wait_for(&mut waiting, limit).timed_out() {
                        return Some(Taken::default());
                    }
                }
            }
        }
        let requests = waiting.requests.len().min(REQUESTS_MAX);
        let mut taken = Taken {
            requests: waiting.requests.drain(..requests).collect(),
            results: Vec::new(),
        };
        let mut rows = 0;
        while rows < RESULTS_MAX
            && let Some(arrived) = waiting.results.pop_front()
        {
            rows += arrived.results.len();
            taken.results.push(arrived);
        }
        Some(taken)
    }
}
