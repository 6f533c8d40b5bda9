//! Deadlines: what is due when.

use std::collections::BTreeSet;

/// What a deadline is for; the numbers are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A provider's cool-down ends.
    Cooldown(u32),
    /// The queued tasks of a job waited long enough for a provider that could
    /// ever run them.
    Placement(u32),
    /// A job waited for one more period without a start.
    Ageing(u32),
    /// It is time to look for stragglers of a job.
    Hedging(u32),
    /// A task (job, index) waited long enough for one more group to ask.
    Replica(u32, u32),
}

/// Deadlines in their order.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(u64, Timer)>);

impl Timers {
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.0.first().map(|(at_ms, _)| *at_ms)
    }

    /// Moves a deadline from where it was, if anywhere, to where it is to be.
    pub(super) fn replace(&mut self, timer: Timer, old_ms: Option<u64>, new_ms: Option<u64>) {
        if old_ms == new_ms {
            return;
        }
        if let Some(at_ms) = old_ms {
            self.0.remove(&(at_ms, timer));
        }
        if let Some(at_ms) = new_ms {
            self.0.insert((at_ms, timer));
        }
    }

    /// Takes the next one that is due.
    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<Timer> {
        let (at_ms, timer) = *self.0.first()?;
        (at_ms <= now_ms).then(|| {
            self.0.pop_first();
            timer
        })
    }
}
