//! Attempts that are live at a provider, and what a task remembers of those
//! that were lost.

use std::collections::VecDeque;
use std::sync::Arc;

use wasipool_shared::ids::ProviderId;

/// Reasons that a task remembers; older ones are forgotten first.
const REASONS_MAX: usize = 8;

/// What a task remembers of its lost attempts. Most tasks never have one.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    /// Attempts that were lost and count against the retries.
    pub(super) losses: u32,
    /// Who had the task last and should not get it again at once.
    pub(super) avoid: Option<ProviderId>,
    reasons: VecDeque<Arc<str>>,
}

impl Trail {
    /// Counts a lost attempt.
    pub(super) fn lose(&mut self, reason: Arc<str>, avoid: Option<ProviderId>) {
        self.losses += 1;
        self.avoid = avoid;
        if self.reasons.len() == REASONS_MAX {
            self.reasons.pop_front();
        }
        self.reasons.push_back(reason);
    }

    /// The reasons in one line.
    pub(super) fn summary(&self) -> Arc<str> {
        let reasons: Vec<&str> = self.reasons.iter().map(AsRef::as_ref).collect();
        format!("{} attempts were lost: {}", self.losses, reasons.join("; ")).into()
    }
}

/// Losses in a trail that may not be there.
pub(super) fn losses(trail: Option<&Trail>) -> u32 {
    trail.map_or(0, |trail| trail.losses)
}

/// One live try of a task.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The fencing number.
    pub(super) id: u64,
    /// Key of the job.
    pub(super) job: u32,
    /// The task's index in it.
    pub(super) index: u32,
    /// How long it was expected to run, in microseconds.
    pub(super) expected_us: u32,
    /// How long it was expected to wait before, in microseconds.
    pub(super) wait_us: u32,
    /// When it was sent.
    pub(super) sent_ms: u64,
    /// The task's earlier attempts; tasks with a quorum keep theirs elsewhere.
    pub(super) trail: Option<Box<Trail>>,
}

/// The live attempts of one provider in the order of assignment.
///
/// Fencing numbers only grow, so the order is sorted and an outcome finds its
/// attempt by bisection, without a table of all attempts.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Ended ones in the middle stay as gaps until there are too many.
    entries: VecDeque<(u64, Option<Attempt>)>,
    live: u32,
}

impl InFlight {
    pub(super) fn len(&self) -> u32 {
        self.live
    }

    pub(super) fn push(&mut self, attempt: Attempt) {
        debug_assert!(
            self.entries
                .back()
                .is_none_or(|(last, _)| *last < attempt.id)
        );
        self.entries.push_back((attempt.id, Some(attempt)));
        self.live += 1;
    }

    fn position(&self, id: u64) -> Option<usize> {
        // Short tasks end in order: the oldest is the likeliest.
        match self.entries.front() {
            Some((first, _)) if *first == id => Some(0),
            _ => self.entries.binary_search_by_key(&id, |(id, _)| *id).ok(),
        }
    }

    /// The live attempts, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.entries.iter().filter_map(|(_, entry)| entry.as_ref())
    }

    /// The attempt of that number, if it is live here.
    pub(super) fn get(&self, id: u64) -> Option<&Attempt> {
        self.entries[self.position(id)?].1.as_ref()
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Attempt> {
        let at = self.position(id)?;
        self.entries[at].1.as_mut()
    }

    /// Takes out the attempt of that number, if it is live here.
    pub(super) fn remove(&mut self, id: u64) -> Option<Attempt> {
        let at = self.position(id)?;
        let attempt = self.entries[at].1.take()?;
        self.live -= 1;
        self.close_gaps();
        Some(attempt)
    }

    fn close_gaps(&mut self) {
        while self
            .entries
            .front()
            .is_some_and(|(_, entry)| entry.is_none())
        {
            self.entries.pop_front();
        }
        // One long task at the front must not keep the gaps of thousands of
        // short ones behind it.
        if self.entries.len() > 2 * self.live as usize + 32 {
            self.entries.retain(|(_, entry)| entry.is_some());
        }
    }

    /// Takes out every attempt of a job.
    pub(super) fn remove_job(&mut self, job: u32) -> Vec<Attempt> {
        let mut removed = Vec::new();
        for (_, entry) in &mut self.entries {
            removed.extend(entry.take_if(|attempt| attempt.job == job));
        }
        self.live -= removed.len() as u32;
        self.close_gaps();
        removed
    }

    /// Takes out everything, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<Attempt> {
        self.live = 0;
        self.entries
            .drain(..)
            .filter_map(|(_, entry)| entry)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64, job: u32) -> Attempt {
        Attempt {
            id,
            job,
            index: 0,
            expected_us: 0,
            wait_us: 0,
            sent_ms: 0,
            trail: None,
        }
    }

    #[test]
    fn an_attempt_is_removed_once_and_gaps_stay_few() {
        let mut in_flight = InFlight::default();
        in_flight.push(attempt(1, 0));
        for id in 2..10_000 {
            in_flight.push(attempt(id, 1));
            assert_eq!(in_flight.remove(id).map(|attempt| attempt.id), Some(id));
            assert!(in_flight.remove(id).is_none());
        }
        assert_eq!(in_flight.len(), 1);
        assert!(in_flight.entries.len() < 64, "{}", in_flight.entries.len());
        in_flight.push(attempt(10_000, 1));
        assert_eq!(in_flight.remove_job(0).len(), 1);
        assert_eq!(in_flight.take_all().len(), 1);
        assert_eq!(in_flight.len(), 0);
    }
}
