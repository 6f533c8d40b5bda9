//! Tasks that need, or may come to need, equal results from several providers.
//!
//! Such a task is kept from its first attempt to its end. It asks for as many
//! replicas as could complete its quorum, each from another group; results
//! that differ make it ask for more, up to a limit.

use std::collections::{BTreeMap, BTreeSet};

use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::ProviderId;

use super::attempt::Trail;
use super::group::{Group, Party};
use super::pool::Provider;

/// Tasks that wait for a further replica before no new task is begun: were one
/// group small, all others would run ahead of it without end.
const NEEDY_MAX: usize = 256;

/// A live attempt of a replicated task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replica {
    /// Key and name of the provider.
    pub(super) key: u32,
    pub(super) provider: ProviderId,
    pub(super) group: Group,
    pub(super) kind: ProviderKind,
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
#[derive(Debug)]
pub(super) struct Replicated {
    /// Equal results that it needs.
    pub(super) quorum: u32,
    pub(super) live: Vec<Replica>,
    pub(super) votes: Vec<Vote>,
    /// Groups whose results count no more.
    pub(super) struck: Vec<Group>,
    pub(super) trail: Trail,
    /// When it has waited long enough for one more group.
    pub(super) deadline_ms: Option<u64>,
}

impl Replicated {
    fn new(quorum: u32) -> Self {
        Self {
            quorum,
            live: Vec::new(),
            votes: Vec::new(),
            struck: Vec::new(),
            trail: Trail::default(),
            deadline_ms: None,
        }
    }

    /// Those who had it.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> {
        let votes = self.votes.iter().map(|vote| vote.replica.group);
        let live = self.live.iter().map(|replica| replica.group);
        live.chain(votes).chain(self.struck.iter().copied())
    }

    /// Whether some group had its say.
    pub(super) fn is_begun(&self) -> bool {
        !self.votes.is_empty() || !self.struck.is_empty()
    }

    /// Whether a result of that kind is there or under way.
    fn has_kind(&self, kind: ProviderKind) -> bool {
        self.live.iter().any(|replica| replica.kind == kind)
            || self.votes.iter().any(|vote| vote.replica.kind == kind)
    }

    /// Whether that group has its say already.
    pub(super) fn uses(&self, group: Group) -> bool {
        self.groups().any(|other| other.meets(group))
    }

    /// Attempts that ran or may have run.
    pub(super) fn attempts(&self) -> u32 {
        (self.live.len() + self.votes.len() + self.struck.len()) as u32 + self.trail.losses
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
    /// Results beyond its quorum that a task may get.
    extra: u32,
    pub(super) open: BTreeMap<u32, Replicated>,
    /// Those that want more replicas.
    needy: BTreeSet<u32>,
}

impl Replicas {
    pub(super) fn new(quorum: u32, extra: u32) -> Self {
        Self {
            quorum,
            extra,
            open: BTreeMap::new(),
            needy: BTreeSet::new(),
        }
    }

    pub(super) fn has_needy(&self) -> bool {
        !self.needy.is_empty()
    }

    /// Whether the job itself asks for more than one result.
    pub(super) fn is_asked_for(&self) -> bool {
        self.quorum > 1
    }

    /// Whether a new task may begin beside those that wait for replicas.
    pub(super) fn may_begin(&self) -> bool {
        self.needy.len() < NEEDY_MAX
    }

    /// The task of that index, which is in flight.
    pub(super) fn task(&mut self, index: u32) -> &mut Replicated {
        let quorum = self.quorum;
        let entry = self.open.entry(index);
        entry.or_insert_with(|| Replicated::new(quorum))
    }

    /// The kind of all results that the next task wants to have confirmed, if
    /// they are of one kind: one of the other tells more.
    pub(super) fn one_kind(&self) -> Option<ProviderKind> {
        let task = &self.open[self.needy.first()?];
        let (native, browser) = (ProviderKind::Native, ProviderKind::Browser);
        match (task.has_kind(native), task.has_kind(browser)) {
            (true, false) => Some(native),
            (false, true) => Some(browser),
            _ => None,
        }
    }

    /// Chooses for a provider, where it can a task with results of the other
    /// kind only; `fresh` is whether new tasks may begin, `heed`
    /// whether a task that avoids the provider has another to go to.
    pub(super) fn pick(
        &self,
        provider: &Provider,
        fresh: bool,
        heed: impl Fn(&Replicated) -> bool,
    ) -> Pick {
        let mut nothing = Pick::NothingForGroup;
        let mut of_its_kind = None;
        for index in &self.needy {
            let task = &self.open[index];
            if task.uses(provider.group) {
                continue;
            }
            if task.trail.avoid == Some(provider.id) && heed(task) {
                nothing = Pick::Nothing;
            } else if task.has_kind(provider.kind) {
                of_its_kind = of_its_kind.or(Some(*index));
            } else {
                return Pick::Task(*index);
            }
        }
        match of_its_kind {
            Some(index) => Pick::Task(index),
            None if fresh && self.may_begin() => Pick::Fresh,
            None => nothing,
        }
    }

    /// Where a task stands; also notes whether it wants more.
    pub(super) fn tally(&mut self, index: u32) -> Tally {
        let extra = self.extra;
        let task = self.task(index);
        let mut best = 0;
        for vote in &task.votes {
            let agrees =
                |other: &&Vote| vote.fingerprint.is_some() && other.fingerprint == vote.fingerprint;
            // A result without a fingerprint agrees with itself alone.
            let equal = task.votes.iter().filter(agrees).count().max(1) as u32;
            if equal >= task.quorum {
                return Tally::Agreed(*vote);
            }
            best = best.max(equal);
        }
        let votes = task.votes.len() as u32;
        let left = task.quorum.saturating_add(extra).saturating_sub(votes);
        if best + left < task.quorum {
            return Tally::Disputed;
        }
        let live = task.live.len() as u32;
        let wanted = (task.quorum - best).min(left).saturating_sub(live);
        if wanted > 0 {
            self.needy.insert(index);
        } else {
            self.needy.remove(&index);
        }
        Tally::Open
    }

    /// A party's results were wrong: those that nobody confirmed yet count no
    /// more, and what it still runs needs to be confirmed. Returns what changed.
    pub(super) fn strike(&mut self, party: Party) -> Vec<u32> {
        let mut changed = Vec::new();
        for (index, task) in &mut self.open {
            let of_party = |replica: &Replica| replica.group.party() == party;
            let struck = task.votes.extract_if(.., |vote| of_party(&vote.replica));
            let struck: Vec<Group> = struck.map(|vote| vote.replica.group).collect();
            if !struck.is_empty() || task.live.iter().any(of_party) {
                task.quorum = task.quorum.max(2);
                changed.push(*index);
            }
            task.struck.extend(struck);
        }
        changed
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
