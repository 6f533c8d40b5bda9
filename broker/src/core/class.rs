//! Jobs by what they need. All jobs with equal needs can run at the same
//! providers, so what holds for one holds for all: who is able, since when
//! nobody is, and that nobody has room right now.

use std::collections::{BTreeMap, BTreeSet};

use wasipool_shared::capacity::{Capacity, Features, ProviderKind};

use super::event::{JobSpec, Trust};
use super::group::Group;
use super::job::Job;
use super::owners::OwnerTurn;
use super::pool::Provider;
use super::slab::Slab;

/// Classes without jobs that are kept, so that a stream of single runs does not
/// count the pool again for each.
const IDLE_MAX: u32 = 64;

/// What a job needs of a provider, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Needs {
    pub(super) kind: Option<ProviderKind>,
    features: u32,
    pub(super) memory_bytes: u64,
    pub(super) quorum: u32,
}

impl Needs {
    pub(super) fn of(spec: &JobSpec) -> Self {
        Self {
            kind: spec.requires.kind,
            features: spec.requires.features.0,
            memory_bytes: spec.memory_bytes,
            quorum: spec.quorum.max(1),
        }
    }

    /// The same of that kind.
    pub(super) fn of_kind(self, kind: Option<ProviderKind>) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn features(&self) -> Features {
        Features(self.features)
    }

    /// Whether such a provider is of the right kind and has the features.
    pub(super) fn suited_by(&self, kind: ProviderKind, features: Features) -> bool {
        self.kind.is_none_or(|needed| needed == kind) && features.contains(self.features())
    }

    fn met_by(&self, kind: ProviderKind, capacity: &Capacity) -> bool {
        self.suited_by(kind, capacity.features) && self.memory_bytes <= capacity.memory_bytes
    }
}

/// A job's place in the order: tag, age, key.
pub(super) type Turn = (u64, u64, u32);

/// Providers that can run a class's tasks.
#[derive(Debug, Clone, Copy, Default)]
struct Members {
    /// Those that ever can: they are not about to leave.
    able: u32,
    /// Those of them that take tasks: neither paused nor cooled down.
    open: u32,
}

impl Members {
    fn count(&mut self, able: bool, open: bool, by: i32) {
        self.able = self.able.saturating_add_signed(i32::from(able) * by);
        self.open = self.open.saturating_add_signed(i32::from(open) * by);
    }
}

/// The jobs of equal needs.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) needs: Needs,
    members: Members,
    /// Whether its tasks may need results of different groups.
    by_group: bool,
    /// Members by group, if so.
    groups: BTreeMap<Group, Members>,
    /// Since when no provider, or too few groups, can run its tasks.
    pub(super) unable_since_ms: Option<u64>,
    /// Its jobs that have queued tasks, by their owners.
    backlog: BTreeMap<u32, BTreeSet<Turn>>,
    /// Those owners, in the order of their turns.
    owners: BTreeSet<OwnerTurn>,
    jobs: u32,
    /// The pass in which nobody had room for it.
    pub(super) full_in_pass: u64,
}

impl Class {
    fn count(&mut self, provider: &Provider, by: i32) {
        let able = !provider.draining && self.needs.met_by(provider.kind, &provider.capacity);
        if !able {
            return;
        }
        let open = provider.is_open();
        self.members.count(able, open, by);
        if self.by_group {
            let group = self.groups.entry(provider.group).or_default();
            group.count(able, open, by);
            if group.able == 0 {
                self.groups.remove(&provider.group);
            }
        }
    }

    /// Different parties that can run its tasks, as far as they matter.
    fn parties(&self) -> usize {
        if self.needs.quorum > 1 {
            self.groups.len()
        } else {
            self.members.able as usize
        }
    }

    /// Whether the connected providers could ever run its tasks.
    pub(super) fn is_able(&self) -> bool {
        self.parties() >= self.needs.quorum as usize
    }

    /// Whether a task has an open provider to go to besides one open provider.
    pub(super) fn has_other(&self) -> bool {
        self.members.open > 1
    }

    /// The same where the groups `used` are out of question.
    pub(super) fn has_other_group(&self, group: Group, used: impl Fn(Group) -> bool) -> bool {
        self.groups
            .iter()
            .any(|(other, members)| members.open > u32::from(*other == group) && !used(*other))
    }

    /// Whether some able group is not used.
    pub(super) fn has_unused_group(&self, used: impl Fn(Group) -> bool) -> bool {
        self.groups.keys().any(|group| !used(*group))
    }

    /// Groups of able providers.
    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Keys of the jobs that have queued tasks.
    pub(super) fn waiting_jobs(&self) -> Vec<u32> {
        let turns = self.backlog.values().flatten();
        turns.map(|(_, _, job)| *job).collect()
    }
}

/// All classes.
#[derive(Debug)]
pub(super) struct Classes {
    classes: Slab<Class>,
    by_needs: BTreeMap<Needs, u32>,
    /// Those with a backlog.
    active: Vec<u32>,
    idle: u32,
    trust: Trust,
}

impl Classes {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            classes: Slab::new(),
            by_needs: BTreeMap::new(),
            active: Vec::new(),
            idle: 0,
        }
    }

    pub(super) fn get(&self, key: u32) -> &Class {
        &self.classes[key]
    }

    pub(super) fn get_mut(&mut self, key: u32) -> &mut Class {
        &mut self.classes[key]
    }

    /// The class of those needs, for one more job.
    pub(super) fn acquire<'a>(
        &mut self,
        now_ms: u64,
        needs: Needs,
        providers: impl Iterator<Item = &'a Provider>,
    ) -> u32 {
        if let Some(key) = self.by_needs.get(&needs).copied() {
            let class = &mut self.classes[key];
            self.idle -= u32::from(class.jobs == 0);
            class.jobs += 1;
            return key;
        }
        if self.idle >= IDLE_MAX {
            self.forget_idle();
        }
        let mut class = Class {
            needs,
            members: Members::default(),
            by_group: needs.quorum > 1 || self.trust == Trust::Adaptive,
            groups: BTreeMap::new(),
            unable_since_ms: None,
            backlog: BTreeMap::new(),
            owners: BTreeSet::new(),
            jobs: 1,
            full_in_pass: 0,
        };
        providers.for_each(|provider| class.count(provider, 1));
        class.unable_since_ms = (!class.is_able()).then_some(now_ms);
        let key = self.classes.insert(class);
        self.by_needs.insert(needs, key);
        key
    }

    /// A job of the class ended.
    pub(super) fn release(&mut self, key: u32) {
        let class = &mut self.classes[key];
        class.jobs -= 1;
        self.idle += u32::from(class.jobs == 0);
    }

    fn forget_idle(&mut self) {
        let classes = &mut self.classes;
        self.by_needs.retain(|_, key| {
            let used = classes[*key].jobs > 0;
            if !used {
                classes.remove(*key);
            }
            used
        });
        self.idle = 0;
    }

    /// Counts a provider in (1) or out (−1).
    pub(super) fn count(&mut self, provider: &Provider, by: i32) {
        for (_, class) in self.classes.iter_mut() {
            class.count(provider, by);
        }
    }

    /// Notes which classes became able or unable; returns them.
    pub(super) fn settle(&mut self, now_ms: u64) -> Vec<u32> {
        let mut changed = Vec::new();
        for (key, class) in self.classes.iter_mut() {
            if class.is_able() != class.unable_since_ms.is_none() {
                class.unable_since_ms = (!class.is_able()).then_some(now_ms);
                changed.push(key);
            }
        }
        changed
    }

    pub(super) fn enqueue(&mut self, key: u32, owner: OwnerTurn, turn: Turn) {
        let class = &mut self.classes[key];
        if class.backlog.is_empty() {
            self.active.push(key);
        }
        class.backlog.entry(owner.1).or_default().insert(turn);
        class.owners.insert(owner);
    }

    pub(super) fn dequeue(&mut self, key: u32, owner: OwnerTurn, turn: Turn) {
        let class = &mut self.classes[key];
        let jobs = class.backlog.get_mut(&owner.1);
        let jobs = jobs.expect("a job that leaves the backlog is in it");
        jobs.remove(&turn);
        if jobs.is_empty() {
            class.backlog.remove(&owner.1);
            class.owners.remove(&owner);
        }
        if class.backlog.is_empty() {
            self.active.retain(|active| *active != key);
        }
    }

    /// Gives a waiting job another turn; the class stays active throughout.
    pub(super) fn requeue(&mut self, key: u32, owner: u32, old: Turn, new: Turn) {
        let jobs = self.classes[key].backlog.get_mut(&owner);
        let jobs = jobs.expect("a waiting job is in the backlog");
        jobs.remove(&old);
        jobs.insert(new);
    }

    /// An owner has another turn, wherever its jobs wait.
    pub(super) fn owner_moved(&mut self, old: OwnerTurn, new: OwnerTurn) {
        if old == new {
            return;
        }
        for key in &self.active {
            let class = &mut self.classes[*key];
            if class.owners.remove(&old) {
                class.owners.insert(new);
            }
        }
    }

    /// Whose turn it is among those that this pass did not find stuck: the
    /// owner's first, then the job's.
    pub(super) fn next(&self, pass: u64, jobs: &Slab<Job>) -> Option<u32> {
        let first_of = |class: &Class| {
            class.owners.iter().find_map(|owner| {
                let turns = class.backlog[&owner.1].iter();
                let mut open = turns.filter(|(_, _, job)| jobs[*job].stuck_in_pass != pass);
                open.next().map(|turn| (*owner, *turn))
            })
        };
        self.active
            .iter()
            .map(|key| &self.classes[*key])
            .filter(|class| class.full_in_pass != pass)
            .filter_map(first_of)
            .min()
            .map(|(_, (_, _, job))| job)
    }
}
