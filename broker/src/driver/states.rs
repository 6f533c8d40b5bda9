//! What each task of a job that hasn't ended does, in a byte a task.

use crate::store::TaskState;

/// What a task does, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskPhase {
    /// It waits for a provider.
    Queued,
    /// It has at least one live attempt.
    Running,
    /// It has ended.
    Ended(TaskState),
}

impl TaskPhase {
    /// Its name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ended(state) => state.as_str(),
        }
    }

    /// The phase of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "queued" => Some(Self::Queued),
            "running" => Some(Self::Running),
            name => TaskState::from_name(name).map(Self::Ended),
        }
    }
}

/// Tasks in a row that do the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The index of the first.
    pub from: u32,
    /// How many.
    pub count: u32,
    /// What they do.
    pub phase: TaskPhase,
}

/// Appends a task to runs that are in order.
pub(super) fn append(runs: &mut Vec<Run>, index: u32, phase: TaskPhase) {
    match runs.last_mut() {
        Some(last) if last.phase == phase && last.from + last.count == index => last.count += 1,
        _ => runs.push(Run {
            from: index,
            count: 1,
            phase,
        }),
    }
}

/// Part of the list of a job's tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhasePage {
    /// Indexes and what they do.
    pub items: Vec<(u32, TaskPhase)>,
    /// The index that the next page starts with, if there is one.
    pub next: Option<u32>,
}

/// The phases of all tasks of a job.
#[derive(Debug, Clone)]
pub(super) struct TaskPhases(Vec<TaskPhase>);

impl TaskPhases {
    /// That many tasks, all queued.
    pub(super) fn new(tasks: u32) -> Self {
        Self(vec![TaskPhase::Queued; tasks as usize])
    }

    /// Tasks that wait, but for those that have ended.
    pub(super) fn resumed(states: &[Option<TaskState>]) -> Self {
        let phase = |state: &Option<TaskState>| state.map_or(TaskPhase::Queued, TaskPhase::Ended);
        Self(states.iter().map(phase).collect())
    }

    /// Notes what a task does; false if it is known.
    pub(super) fn set(&mut self, index: u32, phase: TaskPhase) -> bool {
        match self.0.get_mut(index as usize) {
            Some(known) if *known != phase => {
                *known = phase;
                true
            }
            _ => false,
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<TaskPhase> {
        self.0.get(index as usize).copied()
    }

    /// Tasks from `from` on that do `wanted`, at most `limit`.
    pub(super) fn page(&self, wanted: Option<TaskPhase>, from: u32, limit: usize) -> PhasePage {
        let mut page = PhasePage::default();
        let rest = self.0.get(from as usize..).unwrap_or_default();
        for (index, phase) in (from..).zip(rest.iter().copied()) {
            if wanted.is_some_and(|wanted| wanted != phase) {
                continue;
            }
            if page.items.len() == limit {
                page.next = Some(index);
                break;
            }
            page.items.push((index, phase));
        }
        page
    }

    /// Runs from task `from` on, at most `limit`, and where the next ones start.
    pub(super) fn runs(&self, from: u32, limit: usize) -> (Vec<Run>, Option<u32>) {
        let mut runs = Vec::new();
        let rest = self.0.get(from as usize..).unwrap_or_default();
        for (index, phase) in (from..).zip(rest.iter().copied()) {
            append(&mut runs, index, phase);
            if runs.len() > limit {
                runs.pop();
                return (runs, Some(index));
            }
        }
        (runs, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_takes_one_byte() {
        assert_eq!(size_of::<TaskPhase>(), 1);
    }

    #[test]
    fn runs_and_pages_cover_all_tasks_in_parts() {
        let mut phases = TaskPhases::new(10);
        for index in [2, 3, 7] {
            assert!(phases.set(index, TaskPhase::Running));
            assert!(!phases.set(index, TaskPhase::Running));
        }
        phases.set(9, TaskPhase::Ended(TaskState::Lost));
        assert!(!phases.set(10, TaskPhase::Running), "there is no such task");
        let (mut runs, mut from) = (Vec::new(), Some(0));
        while let Some(next) = from {
            let (part, rest) = phases.runs(next, 2);
            assert!((1..=2).contains(&part.len()));
            runs.extend(part);
            from = rest;
        }
        let shown: Vec<_> = runs
            .iter()
            .map(|run| (run.from, run.count, run.phase.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (0, 2, "queued"),
                (2, 2, "running"),
                (4, 3, "queued"),
                (7, 1, "running"),
                (8, 1, "queued"),
                (9, 1, "lost")
            ]
        );
        let page = phases.page(Some(TaskPhase::Running), 0, 2);
        assert_eq!((page.items.len(), page.next), (2, Some(7)));
        let page = phases.page(Some(TaskPhase::Running), 7, 2);
        assert_eq!((page.items.len(), page.next), (1, None));
        assert_eq!(phases.page(None, 8, 5).items.len(), 2);
    }
}
