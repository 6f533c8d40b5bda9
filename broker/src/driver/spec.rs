//! What the core is told of a job.

use std::ops::Range;

use super::NewJob;
use crate::core::{Counts, JobSpec, Resumed};
use crate::store::TaskState;

/// A job as the core sees it.
pub(super) fn of(new: &NewJob, resumed: Option<Resumed>) -> JobSpec {
    let mut requires = new.requires;
    requires.features = requires.features.union(new.module.features);
    JobSpec {
        tasks: new.tasks.len(),
        priority: new.priority,
        owner: new.owner,
        retries: new.retries,
        quorum: new.quorum,
        module: new.module.digest,
        memory_bytes: new.tasks.memory_bytes(),
        requires,
        placement_timeout_ms: new.placement_timeout_ms,
        resumed,
    }
}

/// Tasks that haven't ended, as ranges.
pub(super) fn open(states: &[Option<TaskState>]) -> Vec<Range<u32>> {
    let mut open: Vec<Range<u32>> = Vec::new();
    for (index, state) in (0..).zip(states) {
        match open.last_mut() {
            _ if state.is_some() => {}
            Some(last) if last.end == index => last.end += 1,
            _ => open.push(index..index + 1),
        }
    }
    open
}

/// How tasks ended, in the core's words.
pub(super) fn ended(counts: &crate::store::Counts) -> Counts {
    let failed = [
        TaskState::Failed,
        TaskState::Trapped,
        TaskState::TimedOut,
        TaskState::OutOfMemory,
        TaskState::OutputExceeded,
    ];
    Counts {
        succeeded: counts.of(TaskState::Succeeded),
        failed: failed.into_iter().map(|state| counts.of(state)).sum(),
        lost: counts.of(TaskState::Lost),
        rejected: counts.of(TaskState::Rejected),
        disputed: counts.of(TaskState::Disputed),
        cancelled: counts.of(TaskState::Cancelled),
        ..Counts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_have_not_ended_are_ranges() {
        let states = |text: &str| {
            let state = |c| (c == 'x').then_some(TaskState::Failed);
            text.chars().map(state).collect::<Vec<_>>()
        };
        assert_eq!(open(&states("..x...xx.")), [0..2, 3..6, 8..9]);
        assert_eq!(open(&states("xx")), []);
    }
}
