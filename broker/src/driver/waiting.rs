//! How many tasks wait or run: all of them, and those of each owner.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use wasipool_shared::limits::{OWNER_QUEUED_TASKS_MAX, QUEUED_TASKS_MAX};

/// How many tasks may wait or run at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// All of them.
    pub all: u64,
    /// Those of one owner; nobody in particular (0) has no limit of its own.
    pub owner: u64,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            all: QUEUED_TASKS_MAX,
            owner: OWNER_QUEUED_TASKS_MAX,
        }
    }
}

/// Whose tasks are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of all together.
    All,
    /// Those of the owner who wants to add some.
    Owner,
}

/// As many tasks wait or run as are allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct QueueFull {
    /// Whose limit it is.
    pub whose: Whose,
    /// How many of theirs wait or run.
    pub waiting: u64,
    /// How many may.
    pub limit: u64,
}

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waiting, limit, .. } = self;
        match self.whose {
            Whose::All => write!(
                f,
                "the queue holds {waiting} tasks, {limit} are allowed (--queued-tasks-max)"
            ),
            Whose::Owner => write!(
                f,
                "{waiting} tasks of this token wait or run, {limit} are allowed \
                 (--token-queued-tasks-max)"
            ),
        }
    }
}

/// Counts them; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Waiting(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limits: QueueLimits,
    all: AtomicU64,
    owners: Mutex<HashMap<u64, u64>>,
}

impl Waiting {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self(Arc::new(Counts {
            limits,
            all: AtomicU64::new(0),
            owners: Mutex::default(),
        }))
    }

    /// Counts tasks that are about to wait.
    pub(super) fn reserve(&self, owner: u64, tasks: u64) -> Result<(), QueueFull> {
        let Counts { limits, all, .. } = &*self.0;
        let waiting = all.fetch_add(tasks, Ordering::Relaxed);
        if waiting.saturating_add(tasks) > limits.all {
            all.fetch_sub(tasks, Ordering::Relaxed);
            return Err(QueueFull {
                whose: Whose::All,
                waiting,
                limit: limits.all,
            });
        }
        if owner != 0
            && let Err(full) = self.reserve_own(owner, tasks)
        {
            all.fetch_sub(tasks, Ordering::Relaxed);
            return Err(full);
        }
        Ok(())
    }

    fn reserve_own(&self, owner: u64, tasks: u64) -> Result<(), QueueFull> {
        let limit = self.0.limits.owner;
        let mut owners = self.0.owners.lock();
        let waiting = owners.get(&owner).copied().unwrap_or_default();
        if waiting.saturating_add(tasks) > limit {
            return Err(QueueFull {
                whose: Whose::Owner,
                waiting,
                limit,
            });
        }
        owners.insert(owner, waiting + tasks);
        Ok(())
    }

    /// Counts tasks that wait whatever the limits say: they were accepted before.
    pub(super) fn add(&self, owner: u64, tasks: u64) {
        self.0.all.fetch_add(tasks, Ordering::Relaxed);
        if owner != 0 {
            *self.0.owners.lock().entry(owner).or_default() += tasks;
        }
    }

    /// Counts tasks that have ended.
    pub(super) fn release(&self, owner: u64, tasks: u64) {
        self.0.all.fetch_sub(tasks, Ordering::Relaxed);
        if owner != 0 {
            let mut owners = self.0.owners.lock();
            if let Some(waiting) = owners.get_mut(&owner) {
                *waiting = waiting.saturating_sub(tasks);
                if *waiting == 0 {
                    owners.remove(&owner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting {
        Waiting::new(QueueLimits { all: 10, owner: 4 })
    }

    fn full(whose: Whose, waiting: u64, limit: u64) -> Result<(), QueueFull> {
        Err(QueueFull {
            whose,
            waiting,
            limit,
        })
    }

    #[test]
    fn an_owner_has_a_limit_of_its_own() {
        let waiting = waiting();
        assert_eq!(waiting.reserve(7, 3), Ok(()));
        assert_eq!(waiting.reserve(7, 2), full(Whose::Owner, 3, 4));
        assert_eq!(waiting.reserve(7, 1), Ok(()), "just up to it");
        assert_eq!(waiting.reserve(8, 4), Ok(()), "another one");
        waiting.release(7, 2);
        assert_eq!(waiting.reserve(7, 2), Ok(()));
        assert_eq!(waiting.reserve(7, 1), full(Whose::Owner, 4, 4));
    }

    #[test]
    fn all_together_have_one() {
        let waiting = waiting();
        assert_eq!(waiting.reserve(0, 9), Ok(()), "nobody has none of its own");
        assert_eq!(waiting.reserve(7, 2), full(Whose::All, 9, 10));
        assert_eq!(waiting.reserve(7, 1), Ok(()));
        // What is refused is not counted.
        waiting.release(0, 9);
        assert_eq!(waiting.reserve(7, 4), full(Whose::Owner, 1, 4));
        assert_eq!(waiting.reserve(0, 9), Ok(()));
        waiting.release(7, 1);
        waiting.release(0, 9);
        assert!(
            waiting.0.owners.lock().is_empty(),
            "nothing is left of them"
        );
    }

    #[test]
    fn what_was_accepted_before_counts() {
        let waiting = waiting();
        waiting.add(7, 6);
        assert_eq!(waiting.reserve(7, 1), full(Whose::Owner, 6, 4));
        assert_eq!(waiting.reserve(0, 5), full(Whose::All, 6, 10));
    }

    #[test]
    fn errors_name_the_setting() {
        let text = |whose| full(whose, 4, 4).unwrap_err().to_string();
        assert!(text(Whose::All).contains("--queued-tasks-max"));
        assert!(text(Whose::Owner).contains("--token-queued-tasks-max"));
    }
}
