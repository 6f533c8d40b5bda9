//! A job as it is stored, and which of them to list.

use std::collections::BTreeMap;

use wasipool_shared::digest::Digest;
use wasipool_shared::ids::JobId;

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
    /// Whose it is; 0 is nobody's in particular.
    pub owner: u64,
    /// What all its results take.
    pub bytes: u64,
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

    pub(super) fn add(&mut self, state: TaskState) {
        self.0[state as usize] += 1;
    }

    /// An object of those that aren't 0, for the database.
    pub(super) fn to_json(self) -> String {
        let all = TaskState::ALL.iter();
        let counted = all.filter(|state| self.of(**state) > 0);
        let members = counted.map(|state| (state.as_str(), self.of(*state)));
        serde_json::Value::from_iter(members).to_string()
    }

    /// The same back.
    pub(super) fn from_json(members: &BTreeMap<String, u32>) -> Self {
        let mut counts = Self::default();
        for state in TaskState::ALL {
            counts.0[*state as usize] = members.get(state.as_str()).copied().unwrap_or(0);
        }
        counts
    }
}

/// What a job takes up of a result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) state: TaskState,
    /// When the task began to run, if it did.
    pub(super) started_unix_ms: Option<u64>,
    pub(super) ended_unix_ms: u64,
    /// What the result takes.
    pub(super) bytes: u64,
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
            owner: new.owner,
            bytes: 0,
        }
    }

    /// Counts a result in.
    pub(super) fn add(&mut self, result: &Ended) {
        self.counts.add(result.state);
        self.bytes += result.bytes;
        if let Some(started) = result.started_unix_ms {
            let started = started.max(self.created_unix_ms);
            let before = self.started_unix_ms;
            self.started_unix_ms = Some(before.map_or(started, |before| before.min(started)));
        }
        if self.counts.ended() >= self.tasks {
            self.ended_unix_ms = Some(result.ended_unix_ms);
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
    pub(super) fn matches(&self, job: &JobRecord) -> bool {
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
