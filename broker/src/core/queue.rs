//! The queued tasks of one job.
//!
//! Tasks that never ran are a range, so a job of a million tasks costs as much
//! as one of one task; a job that was resumed has as many ranges as gaps. Only
//! those that come back are kept one by one.

use std::collections::VecDeque;
use std::ops::Range;

use wasipool_shared::ids::ProviderId;

use super::attempt::Trail;

/// A task that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Its index in the job.
    pub(super) index: u32,
    /// Its lost attempts.
    pub(super) trail: Option<Box<Trail>>,
}

impl Waiting {
    fn avoids(&self) -> Option<ProviderId> {
        self.trail.as_ref().and_then(|trail| trail.avoid)
    }
}

/// The queue.
#[derive(Debug)]
pub(super) struct TaskQueue {
    /// Tasks that never came up, the first of them.
    fresh: Range<u32>,
    /// The others, if there are gaps; none of them is empty, nor is `fresh`
    /// while there are some.
    later: VecDeque<Range<u32>>,
    /// Tasks that came back and may go anywhere.
    front: VecDeque<Waiting>,
    /// Tasks that came back from a provider that they should avoid now.
    wary: VecDeque<Waiting>,
}

impl TaskQueue {
    /// A queue of the tasks in those ranges.
    pub(super) fn new(open: impl IntoIterator<Item = Range<u32>>) -> Self {
        let mut ranges = open.into_iter().filter(|range| !range.is_empty());
        Self {
            fresh: ranges.next().unwrap_or_default(),
            later: ranges.collect(),
            front: VecDeque::new(),
            wary: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.front.is_empty() && self.wary.is_empty()
    }

    /// Whether some task is there that any provider may have.
    pub(super) fn has_unconstrained(&self) -> bool {
        self.has_fresh() || !self.front.is_empty()
    }

    /// Puts a task that came back before all others.
    pub(super) fn push_front(&mut self, waiting: Waiting) {
        if waiting.avoids().is_some() {
            self.wary.push_front(waiting);
        } else {
            self.front.push_front(waiting);
        }
    }

    /// Whether [`take`](Self::take) has something for that provider.
    pub(super) fn has_for(&self, provider: ProviderId, heed: bool) -> bool {
        self.has_unconstrained() || self.wary_for(provider, heed).is_some()
    }

    fn wary_for(&self, provider: ProviderId, heed: bool) -> Option<usize> {
        self.wary
            .iter()
            .position(|waiting| !heed || waiting.avoids() != Some(provider))
    }

    /// Takes the next task for that provider; `heed` is whether a task that
    /// avoids the provider has any other to go to.
    pub(super) fn take(&mut self, provider: ProviderId, heed: bool) -> Option<Waiting> {
        if let Some(at) = self.wary_for(provider, heed) {
            return self.wary.remove(at);
        }
        self.front.pop_front().or_else(|| self.take_fresh())
    }

    /// Whether tasks are left that never came up.
    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Takes the next task that never came up.
    pub(super) fn take_fresh(&mut self) -> Option<Waiting> {
        let index = self.fresh.next()?;
        if self.fresh.is_empty()
            && let Some(next) = self.later.pop_front()
        {
            self.fresh = next;
        }
        Some(Waiting { index, trail: None })
    }

    /// Takes any task, for those who end them all.
    pub(super) fn take_any(&mut self) -> Option<Waiting> {
        self.wary
            .pop_front()
            .or_else(|| self.front.pop_front())
            .or_else(|| self.take_fresh())
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        (self.front.capacity() + self.wary.capacity()) * size_of::<Waiting>()
            + self.later.capacity() * size_of::<Range<u32>>()
    }
}
