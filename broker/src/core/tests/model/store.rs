//! What a store holds of the jobs of a model: the means to start again.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::*;

/// How a task ended, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Succeeded,
    Failed,
    Lost,
    Rejected,
    Disputed,
    Cancelled,
}

/// A job, and which of its tasks ended.
pub(super) struct StoredJob {
    pub(super) spec: JobSpec,
    pub(super) ended: BTreeMap<u32, Ended>,
}

/// The store: jobs as they were accepted, and ends in groups.
#[derive(Default)]
pub(super) struct ModelStore {
    pub(super) jobs: BTreeMap<JobId, StoredJob>,
    /// Ends that a crash would still undo.
    unsynced: Vec<(TaskId, Ended)>,
}

impl ModelStore {
    /// A job is accepted only once it is kept.
    pub(super) fn accept(&mut self, job: JobId, spec: &JobSpec) {
        let stored = StoredJob {
            spec: spec.clone(),
            ended: BTreeMap::new(),
        };
        self.jobs.insert(job, stored);
    }

    pub(super) fn end(&mut self, task: TaskId, ended: Ended) {
        self.unsynced.push((task, ended));
    }

    /// What ended until now is kept; jobs that are complete are done with.
    pub(super) fn sync(&mut self) {
        for (task, ended) in self.unsynced.drain(..) {
            let job = self.jobs.get_mut(&task.job).expect("it was accepted");
            let before = job.ended.insert(task.index, ended);
            assert_eq!(before, None, "{task} has two outcomes in the store");
        }
        self.jobs
            .retain(|_, job| job.ended.len() < job.spec.tasks as usize);
    }

    /// What is left after a crash.
    pub(super) fn crash(&mut self) {
        self.unsynced.clear();
    }
}

impl StoredJob {
    pub(super) fn counts(&self) -> Counts {
        let of = |ended| self.ended.values().filter(|other| **other == ended).count() as u32;
        Counts {
            tasks: self.spec.tasks,
            queued: self.spec.tasks - self.ended.len() as u32,
            running: 0,
            succeeded: of(Ended::Succeeded),
            failed: of(Ended::Failed),
            lost: of(Ended::Lost),
            rejected: of(Ended::Rejected),
            disputed: of(Ended::Disputed),
            cancelled: of(Ended::Cancelled),
        }
    }

    /// What the core is told of it after a start.
    pub(super) fn resumed(&self) -> JobSpec {
        let mut open: Vec<Range<u32>> = Vec::new();
        for index in (0..self.spec.tasks).filter(|index| !self.ended.contains_key(index)) {
            match open.last_mut() {
                Some(last) if last.end == index => last.end += 1,
                _ => open.push(index..index + 1),
            }
        }
        let ended = self.counts();
        JobSpec {
            resumed: Some(Resumed { open, ended }),
            ..self.spec.clone()
        }
    }
}
