//! What the tasks of one job do, for those who watch it.
//!
//! All who watch a job share one feed: the states of its tasks and the last
//! changes, both bounded. Who is too slow for the changes reads the states anew.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::states::{Run, TaskPhases, append};

/// Runs of changed tasks that a feed remembers.
const RUNS_MAX: usize = 65_536;

/// The feed of a job.
#[derive(Debug)]
pub struct JobFeed {
    inner: Mutex<Inner>,
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    phases: TaskPhases,
    /// Changes are known from after this number on.
    floor: u64,
    changes: VecDeque<(u64, Arc<[Run]>)>,
    /// Runs in all of `changes`.
    runs: usize,
    ended: bool,
}

/// Changes since some number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// What changed, oldest first.
    pub runs: Vec<Run>,
    /// The number up to which they go.
    pub to: u64,
}

impl JobFeed {
    /// A feed of tasks as they are now. Numbers of changes grow over all feeds,
    /// so that none is taken for another's.
    pub(super) fn new(phases: TaskPhases, number: u64) -> Self {
        let inner = Inner {
            phases,
            floor: number,
            changes: VecDeque::new(),
            runs: 0,
            ended: false,
        };
        Self {
            inner: Mutex::new(inner),
            news: watch::Sender::new(number),
        }
    }

    /// Takes in tasks that changed.
    pub(super) fn apply(&self, number: u64, changed: &mut Vec<u32>, now: &TaskPhases, ended: bool) {
        changed.sort_unstable();
        changed.dedup();
        let mut runs = Vec::new();
        let mut inner = self.inner.lock();
        for index in changed.drain(..) {
            if let Some(phase) = now.get(index) {
                inner.phases.set(index, phase);
                append(&mut runs, index, phase);
            }
        }
        inner.ended |= ended;
        if runs.len() > RUNS_MAX {
            inner.forget_to(number);
        } else if !runs.is_empty() {
            inner.runs += runs.len();
            inner.changes.push_back((number, runs.into()));
            while inner.runs > RUNS_MAX {
                let Some((number, runs)) = inner.changes.pop_front() else {
                    break;
                };
                inner.floor = number;
                inner.runs -= runs.len();
            }
        }
        drop(inner);
        self.news.send_replace(number);
    }

    /// Tells of each change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Whether all tasks have ended, and nothing will change any more.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.inner.lock().ended
    }

    /// The number of the last change: what [`runs`](Self::runs) gives from here on
    /// is at least as new.
    #[must_use]
    pub fn number(&self) -> u64 {
        let inner = self.inner.lock();
        inner
            .changes
            .back()
            .map_or(inner.floor, |(number, _)| *number)
    }

    /// The tasks from `from` on as runs, at most `limit`, and the task that the
    /// next ones start with.
    #[must_use]
    pub fn runs(&self, from: u32, limit: usize) -> (Vec<Run>, Option<u32>) {
        self.inner.lock().phases.runs(from, limit)
    }

    /// Changes after `number`, roughly `limit` runs of them; nothing if they are
    /// no longer known.
    #[must_use]
    pub fn since(&self, number: u64, limit: usize) -> Option<Changes> {
        let inner = self.inner.lock();
        let newest = inner.changes.back().map_or(inner.floor, |(last, _)| *last);
        if !(inner.floor..=newest).contains(&number) {
            return None;
        }
        let mut found = Changes {
            runs: Vec::new(),
            to: number,
        };
        let first = inner.changes.partition_point(|(known, _)| *known <= number);
        for (known, runs) in inner.changes.range(first..) {
            if !found.runs.is_empty() && found.runs.len() + runs.len() > limit {
                break;
            }
            found.runs.extend_from_slice(runs);
            found.to = *known;
        }
        Some(found)
    }
}

impl Inner {
    fn forget_to(&mut self, number: u64) {
        self.changes.clear();
        self.runs = 0;
        self.floor = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::TaskPhase;
    use crate::store::TaskState;

    #[test]
    fn who_is_too_slow_reads_the_states_anew() {
        let tasks = 2 * RUNS_MAX as u32 + 10;
        let mut phases = TaskPhases::new(tasks);
        let feed = JobFeed::new(phases.clone(), 5);
        assert_eq!(feed.number(), 5);
        assert_eq!(feed.since(4, 10), None, "before this feed");
        assert_eq!(feed.since(6, 10), None, "not from this feed");
        let mut change = |number: u64, indexes: &[u32], phase| {
            for index in indexes {
                phases.set(*index, phase);
            }
            feed.apply(number, &mut indexes.to_vec(), &phases, false);
        };
        change(7, &[3, 1, 2, 3], TaskPhase::Running);
        change(9, &[2], TaskPhase::Ended(TaskState::Succeeded));
        let changes = feed.since(5, 10).unwrap();
        assert_eq!(changes.to, 9);
        assert_eq!((changes.runs[0].from, changes.runs[0].count), (1, 3));
        assert_eq!(feed.since(5, 1).unwrap().to, 7, "in parts");
        assert_eq!(feed.since(9, 1).unwrap().runs, []);
        // Every second task: as many runs as there are changes.
        let many: Vec<u32> = (0..RUNS_MAX as u32).map(|at| at * 2).collect();
        change(11, &many, TaskPhase::Running);
        assert_eq!(feed.since(5, 10), None);
        assert_eq!(feed.since(9, 10).unwrap().runs.len(), RUNS_MAX);
        let more: Vec<u32> = (0..=RUNS_MAX as u32).map(|at| at * 2 + 1).collect();
        change(12, &more, TaskPhase::Ended(TaskState::Lost));
        assert_eq!(feed.since(11, 10), None, "more than it remembers at once");
        assert_eq!(feed.since(12, 10).unwrap().runs, []);
        let (runs, next) = feed.runs(0, 2);
        assert_eq!((runs.len(), next), (2, Some(2)));
    }
}
