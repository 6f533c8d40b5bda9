//! Tasks that need equal results from several providers.
//!
//! Such a task is kept from its first attempt to its end. It asks for as many
//! replicas as could complete its quorum, each from another group; results
//! that differ make it ask for more, up to a limit.

use std::collections::{BTreeMap, BTreeSet};

use wasipool_shared::digest::Digest;
use wasipool_shared::ids::ProviderId;

use super::attempt::Trail;

/// Tasks that wait for a further replica before no new task is begun: were one
/// group small, all others would run ahead of it without end.
const NEEDY_MAX: usize = 256;

/// A live attempt of a replicated task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replica {
    /// Key and name of the provider.
    pub(super) key: u32,
    pub(super) provider: ProviderId,
    pub(super) group: u64,
    pub(super) attempt: u64,
}

/// A result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote {
    pub(super) replica: Replica,
    pub(super) succeeded: bool,
    pub(super) fingerprint: Option<Digest>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tally {
    /// The vote is one of enough equal ones.
    Agreed(Vote),
    /// No quorum can come about any more.
    Disputed,
    /// It is open still.
    Open,
}

/// A task in flight.
#[derive(Debug, Default)]
pub(super) struct Replicated {
    pub(super) live: Vec<Replica>,
    pub(super) votes: Vec<Vote>,
    pub(super) trail: Trail,
    /// When it has waited long enough for one more group.
    pub(super) deadline_ms: Option<u64>,
}

impl Replicated {
    /// Whether that group has its say already.
    pub(super) fn uses(&self, group: u64) -> bool {
        self.live.iter().any(|replica| replica.group == group)
            || self.votes.iter().any(|vote| vote.replica.group == group)
    }

    /// Attempts that ran or may have run.
    pub(super) fn attempts(&self) -> u32 {
        (self.live.len() + self.votes.len()) as u32 + self.trail.losses
    }
}

/// What to start at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    /// One more replica of this task.
    Task(u32),
    /// A task that never ran.
    Fresh,
    /// Nothing, nor for others of its group.
    NothingForGroup,
    /// Nothing for this one.
    Nothing,
}

/// The tasks in flight of a job with a quorum.
#[derive(Debug)]
pub(super) struct Replicas {
    quorum: u32,
    results_max: u32,
    pub(super) open: BTreeMap<u32, Replicated>,
    /// Those that want more replicas.
    needy: BTreeSet<u32>,
}

impl Replicas {
    pub(super) fn new(quorum: u32, results_max: u32) -> Self {
        Self {
            quorum,
            results_max,
            open: BTreeMap::new(),
            needy: BTreeSet::new(),
        }
    }

    pub(super) fn has_needy(&self) -> bool {
        !self.needy.is_empty()
    }

    /// The task of that index, which is in flight.
    pub(super) fn task(&mut self, index: u32) -> &mut Replicated {
        self.open.entry(index).or_default()
    }

    /// Chooses for a provider; `fresh` is whether new tasks may begin, `heed`
    /// whether a task that avoids the provider has another to go to.
    pub(super) fn pick(
        &self,
        provider: ProviderId,
        group: u64,
        fresh: bool,
        heed: impl Fn(&Replicated) -> bool,
    ) -> Pick {
        let mut nothing = Pick::NothingForGroup;
        for index in &self.needy {
            let task = &self.open[index];
            if task.uses(group) {
                continue;
            }
            if task.trail.avoid != Some(provider) || !heed(task) {
                return Pick::Task(*index);
            }
            nothing = Pick::Nothing;
        }
        if fresh && self.needy.len() < NEEDY_MAX {
            Pick::Fresh
        } else {
            nothing
        }
    }

    /// Where a task stands; also notes whether it wants more.
    pub(super) fn tally(&mut self, index: u32) -> Tally {
        let task = self.open.entry(index).or_default();
        let mut best = 0;
        for vote in &task.votes {
            let agrees =
                |other: &&Vote| vote.fingerprint.is_some() && other.fingerprint == vote.fingerprint;
            // A result without a fingerprint agrees with itself alone.
            let equal = task.votes.iter().filter(agrees).count().max(1) as u32;
            if equal >= self.quorum {
                return Tally::Agreed(*vote);
            }
            best = best.max(equal);
        }
        let votes = task.votes.len() as u32;
        if best + (self.results_max - votes) < self.quorum {
            return Tally::Disputed;
        }
        let live = task.live.len() as u32;
        let wanted = (self.quorum - best)
            .min(self.results_max - votes)
            .saturating_sub(live);
        if wanted > 0 {
            self.needy.insert(index);
        } else {
            self.needy.remove(&index);
        }
        Tally::Open
    }

    /// Forgets a task that ended.
    pub(super) fn remove(&mut self, index: u32) -> Option<Replicated> {
        self.needy.remove(&index);
        self.open.remove(&index)
    }

    /// Tasks without a live attempt.
    pub(super) fn idle(&self) -> Vec<u32> {
        let idle = |index: &&u32| self.open[*index].live.is_empty();
        self.needy.iter().filter(idle).copied().collect()
    }

    /// All tasks in flight.
    pub(super) fn indices(&self) -> Vec<u32> {
        self.open.keys().copied().collect()
    }
}
