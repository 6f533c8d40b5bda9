//! What the core must look like from outside: a slow and simple record of all
//! effects, with the rules checked after each event.
//!
//! - `events`: what comes to the core; `effects`: what it says; `trust`: whose results
//!   are believed.
//! - `checks`: the rules. `store`: what would survive.

mod checks;
mod effects;
mod events;
mod store;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use super::super::group::Party;
use super::*;
use store::{Ended, ModelStore};

type Attempts = Vec<(ProviderId, AttemptId)>;

/// A result that counts in a vote.
struct Vote {
    group: Group,
    attempt: AttemptId,
    succeeded: bool,
    fingerprint: Option<Digest>,
}

struct ModelJob {
    spec: JobSpec,
    ended: BTreeMap<u32, Ended>,
    live: BTreeMap<u32, Attempts>,
    /// Results of tasks that have not ended.
    votes: BTreeMap<u32, Vec<Vote>>,
    losses: BTreeMap<u32, u32>,
    avoid: BTreeMap<u32, ProviderId>,
    /// Groups whose results of a task count no more.
    struck: BTreeMap<u32, Vec<Group>>,
    /// Attempts of tasks that have not ended that were no longer wanted.
    revoked: BTreeMap<u32, u32>,
    /// Since when a task of it has waited and none started.
    waits_since_ms: Option<u64>,
    /// Its owner's other jobs of which a task started where one of its own could
    /// have, since it has waited for longer than anybody should.
    passed_by: BTreeSet<JobId>,
}

impl ModelJob {
    fn new(spec: JobSpec, ended: BTreeMap<u32, Ended>) -> Self {
        Self {
            spec,
            ended,
            live: BTreeMap::new(),
            votes: BTreeMap::new(),
            losses: BTreeMap::new(),
            avoid: BTreeMap::new(),
            struck: BTreeMap::new(),
            revoked: BTreeMap::new(),
            waits_since_ms: None,
            passed_by: BTreeSet::new(),
        }
    }
}

struct ModelProvider {
    kind: ProviderKind,
    capacity: Capacity,
    /// Slots before it paused.
    slots_in_use: u16,
    group: Group,
    draining: bool,
    /// It sends nothing any more.
    silent: bool,
    live: Vec<(AttemptId, TaskId)>,
}

impl ModelProvider {
    fn suits(&self, spec: &JobSpec) -> bool {
        spec.requires.kind.is_none_or(|kind| kind == self.kind)
            && self.capacity.features.contains(spec.requires.features)
            && spec.memory_bytes <= self.capacity.memory_bytes
    }
}

/// What is done to the effects before the model sees them: nothing, but where a
/// test wants to know that a mistake would be found.
pub(super) type Tamper = fn(&mut Vec<Effect>);

/// The record.
pub(super) struct Model {
    core: Core,
    config: Config,
    tamper: Tamper,
    pub(super) now_ms: u64,
    jobs: BTreeMap<JobId, ModelJob>,
    store: ModelStore,
    ended_jobs: BTreeSet<JobId>,
    providers: BTreeMap<ProviderId, ModelProvider>,
    last_attempt: Option<AttemptId>,
    old: Attempts,
    /// Results in a row that others confirmed, by whom they are held against.
    confirmed: BTreeMap<Party, u32>,
    /// What groups agreed on, of tasks of jobs that have not ended.
    known: BTreeMap<TaskId, Digest>,
    /// Live attempts of such tasks.
    checks: BTreeMap<AttemptId, TaskId>,
    /// Attempts that were sent to a group with enough of them.
    trusted: BTreeSet<AttemptId>,
    names: u128,
}

impl Model {
    pub(super) fn new(prefetch_max: u32, trust: Trust, tamper: Tamper) -> Self {
        let config = Config {
            prefetch_max,
            trust,
            trusted_after: 2,
            spot_checks: 3,
            cooldown_faults: 2,
            ageing_ms: 1_000,
            ..Config::default()
        };
        Self {
            core: Core::new(config.clone()),
            config,
            tamper,
            now_ms: 0,
            jobs: BTreeMap::new(),
            store: ModelStore::default(),
            ended_jobs: BTreeSet::new(),
            providers: BTreeMap::new(),
            last_attempt: None,
            old: Vec::new(),
            confirmed: BTreeMap::new(),
            known: BTreeMap::new(),
            checks: BTreeMap::new(),
            trusted: BTreeSet::new(),
            names: 0,
        }
    }

    fn name(&mut self) -> u128 {
        self.names += 1;
        self.names
    }

    pub(super) fn submit(&mut self, spec: JobSpec) {
        let job = JobId(self.name());
        self.store.accept(job, &spec);
        self.handle(Event::Submit { job, spec });
    }

    pub(super) fn join(&mut self, kind: ProviderKind, capacity: Capacity, group: Group) {
        let provider = ProviderId(self.name());
        self.handle(Event::Join {
            provider,
            kind,
            capacity,
            group,
        });
    }

    /// A job that is there is left as it is.
    pub(super) fn submit_again(&mut self, number: u32) {
        // Unless it ends by now: nobody remembers those.
        self.handle(Event::Tick);
        if let Some(job) = self.job(number) {
            let spec = self.jobs[&job].spec.clone();
            self.handle(Event::Submit { job, spec });
        }
    }

    pub(super) fn job(&self, number: u32) -> Option<JobId> {
        nth(self.jobs.keys(), number).copied()
    }

    pub(super) fn provider(&self, number: u32) -> Option<ProviderId> {
        nth(self.providers.keys(), number).copied()
    }

    /// An attempt that may end: its provider is not silent.
    pub(super) fn attempt(&self, provider: u32, attempt: u32) -> Option<(ProviderId, AttemptId)> {
        let provider = self.provider(provider)?;
        let record = &self.providers[&provider];
        let (attempt, _) = nth(record.live.iter(), attempt)?;
        (!record.silent).then_some((provider, *attempt))
    }

    pub(super) fn silence(&mut self, provider: ProviderId) {
        let record = self.providers.get_mut(&provider).expect("it joined");
        record.silent = true;
    }

    pub(super) fn sync(&mut self) {
        self.store.sync();
    }

    /// An outcome of an attempt that is over changes nothing.
    pub(super) fn repeat_old_outcome(&mut self, number: u32, verdict: Verdict) {
        if let Some((provider, attempt)) = nth(self.old.iter(), number).copied() {
            self.assert_dropped(provider, attempt, verdict);
        }
    }

    /// So does one of an attempt that is live at another provider.
    pub(super) fn forge(&mut self, from: u32, attempt: u32, verdict: Verdict) {
        let Some(from) = self.provider(from) else {
            return;
        };
        let others = self.providers.iter().filter(|(id, _)| **id != from);
        let live = others.flat_map(|(_, record)| &record.live);
        let live: Vec<AttemptId> = live.map(|(attempt, _)| *attempt).collect();
        if let Some(attempt) = nth(live.iter(), attempt) {
            self.assert_dropped(from, *attempt, verdict);
        }
    }

    fn assert_dropped(&mut self, provider: ProviderId, attempt: AttemptId, verdict: Verdict) {
        // What is due by now happens first, whatever comes.
        self.handle(Event::Tick);
        let event = Event::Ended {
            provider,
            attempt,
            verdict,
            run_us: 1,
        };
        let mut effects = Vec::new();
        self.core.handle(self.now_ms, event, &mut effects);
        (self.tamper)(&mut effects);
        assert_eq!(effects.remove(0), Effect::Dropped { provider, attempt });
        // A further pass may send a task ahead that the last one left.
        let assigns = |effect: &Effect| matches!(effect, Effect::Assign { .. });
        assert!(effects.iter().all(assigns), "a late outcome did something");
        effects.into_iter().for_each(|effect| self.apply(effect));
        self.check();
    }

    /// The broker dies, and a new core starts from what the store holds.
    pub(super) fn restart(&mut self, rejoin: bool) {
        self.store.crash();
        self.core = Core::new(self.config.clone());
        // The driver goes on counting where no earlier attempt can be.
        self.last_attempt = None;
        self.old.clear();
        // Whom to trust is learned anew.
        self.confirmed.clear();
        self.trusted.clear();
        self.known.clear();
        self.checks.clear();
        self.jobs.clear();
        let left = std::mem::take(&mut self.providers);
        let stored: Vec<_> = self
            .store
            .jobs
            .iter()
            .map(|(id, job)| (*id, job.resumed(), job.ended.clone(), job.counts()))
            .collect();
        for (job, spec, ended, counts) in stored {
            self.ended_jobs.remove(&job);
            self.jobs.insert(job, ModelJob::new(spec.clone(), ended));
            self.handle(Event::Submit { job, spec });
            // A job of which all had ended is told so at once, and one that
            // must not wait is rejected while nobody is there.
            let waits = counts.queued > 0 && self.store.jobs[&job].spec.placement_timeout_ms > 0;
            let rebuilt = waits.then_some(counts);
            let found = self.core.counts(job);
            assert_eq!(found, rebuilt, "the store rebuilds the same state");
        }
        for record in left.into_values().filter(|record| rejoin && !record.silent) {
            self.join(record.kind, record.capacity, record.group);
        }
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.record(&event);
        let mut effects = Vec::new();
        self.core.handle(self.now_ms, event, &mut effects);
        (self.tamper)(&mut effects);
        for effect in effects {
            self.apply(effect);
        }
        self.note_waiting();
        self.check();
    }

    fn note_waiting(&mut self) {
        for job in self.jobs.values_mut() {
            let waits = (job.spec.tasks as usize) > job.ended.len() + job.live.len();
            job.waits_since_ms = waits.then(|| job.waits_since_ms.unwrap_or(self.now_ms));
            if !waits {
                job.passed_by.clear();
            }
        }
    }

    /// Healthy providers come: everything ends.
    pub(super) fn finish(&mut self) {
        let silent = self.providers.iter().filter(|(_, record)| record.silent);
        let silent: Vec<ProviderId> = silent.map(|(id, _)| *id).collect();
        for provider in silent {
            self.handle(Event::Leave { provider });
        }
        // Enough for a task that asks one more address for each that contradicts.
        for group in 0..10 {
            for kind in [ProviderKind::Native, ProviderKind::Browser] {
                self.join(kind, capacity(4), Group::of_address(100 + group));
            }
        }
        for _ in 0..10_000 {
            if self.jobs.is_empty() {
                break;
            }
            let mut live = self
                .providers
                .iter()
                .filter_map(|(id, record)| record.live.first().map(|(attempt, _)| (*id, *attempt)));
            let Some((provider, attempt)) = live.next() else {
                // They contradict whoever lied before, and sit that out like others;
                // time passes for nothing else.
                let cooled_down = self.core.providers();
                let again_ms = cooled_down.filter_map(|seen| seen.cooled_down_until_ms);
                let again_ms = again_ms.filter(|until_ms| *until_ms > self.now_ms).min();
                self.now_ms = again_ms.expect("tasks wait though everybody is idle");
                self.handle(Event::Tick);
                continue;
            };
            let event = Event::Ended {
                provider,
                attempt,
                verdict: final_result(0),
                run_us: 1_000,
            };
            self.handle(event);
        }
        assert!(self.jobs.is_empty(), "something never ends");
        self.store.sync();
        assert!(self.store.jobs.is_empty(), "the store misses an end");
    }
}

fn nth<T>(all: impl ExactSizeIterator<Item = T>, number: u32) -> Option<T> {
    let mut all = all;
    let count = all.len();
    (count > 0).then(|| all.nth(number as usize % count))?
}
