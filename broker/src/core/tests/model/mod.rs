//! What the core must look like from outside: a slow and simple record of all
//! effects, with the rules checked after each event.

mod checks;
mod store;

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

    fn record(&mut self, event: &Event) {
        match event {
            Event::Submit { job, spec } => {
                self.jobs
                    .entry(*job)
                    .or_insert_with(|| ModelJob::new(spec.clone(), BTreeMap::new()));
            }
            Event::Join {
                provider,
                kind,
                capacity,
                group,
            } => {
                let record = ModelProvider {
                    kind: *kind,
                    slots_in_use: capacity.slots,
                    capacity: capacity.clone(),
                    group: *group,
                    draining: false,
                    silent: false,
                    live: Vec::new(),
                };
                self.providers.insert(*provider, record);
            }
            Event::Capacity { provider, capacity } => {
                let record = self.providers.get_mut(provider).expect("it joined");
                if capacity.slots > 0 {
                    record.slots_in_use = capacity.slots;
                }
                record.capacity = capacity.clone();
            }
            Event::Drain { provider } => {
                self.providers
                    .get_mut(provider)
                    .expect("it joined")
                    .draining = true;
            }
            Event::Leave { provider } => {
                let record = self.providers.remove(provider).expect("it joined");
                for (at, (attempt, task)) in record.live.into_iter().enumerate() {
                    if self.checks.remove(&attempt).is_some() {
                        self.old.push((*provider, attempt));
                        continue;
                    }
                    let counts = at < usize::from(record.slots_in_use);
                    self.end_attempt(*provider, attempt, task, counts.then_some(None));
                }
            }
            Event::Ended {
                provider,
                attempt,
                verdict,
                ..
            } => self.record_end(*provider, *attempt, verdict),
            Event::Cancel { .. } | Event::RoundTrip { .. } | Event::Tick => {}
        }
    }

    fn record_end(&mut self, provider: ProviderId, attempt: AttemptId, verdict: &Verdict) {
        let record = self.providers.get_mut(&provider).expect("it joined");
        let at = record.live.iter().position(|(live, _)| *live == attempt);
        let (attempt, task) = record.live.remove(at.expect("it is live"));
        let group = record.group;
        if self.checks.remove(&attempt).is_some() {
            self.old.push((provider, attempt));
            return self.learn_of_check(group, task, verdict);
        }
        let loss = matches!(verdict, Verdict::Fault { .. }).then_some(Some(provider));
        self.end_attempt(provider, attempt, task, loss);
        let job = self.jobs.get_mut(&task.job).expect("the job is there");
        match verdict {
            Verdict::Final {
                succeeded,
                fingerprint,
            } => job.votes.entry(task.index).or_default().push(Vote {
                group,
                attempt,
                succeeded: *succeeded,
                fingerprint: *fingerprint,
            }),
            Verdict::Returned => drop(job.avoid.insert(task.index, provider)),
            Verdict::Fault { .. } => {}
        }
    }

    /// `loss` is there if it counts, with who is to be avoided then.
    fn end_attempt(
        &mut self,
        provider: ProviderId,
        attempt: AttemptId,
        task: TaskId,
        loss: Option<Option<ProviderId>>,
    ) {
        self.old.push((provider, attempt));
        let job = self
            .jobs
            .get_mut(&task.job)
            .expect("a job with live attempts is there");
        let live = job.live.get_mut(&task.index).expect("the task is live");
        live.retain(|(_, other)| *other != attempt);
        if live.is_empty() {
            job.live.remove(&task.index);
        }
        if let Some(avoid) = loss {
            *job.losses.entry(task.index).or_default() += 1;
            job.avoid.remove(&task.index);
            job.avoid.extend(avoid.map(|avoid| (task.index, avoid)));
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Assign {
                provider,
                attempt,
                task,
            } => self.assign(provider, attempt, task),
            Effect::Check {
                provider,
                attempt,
                task,
            } => self.assign_check(provider, attempt, task),
            Effect::Revoke { provider, attempt } => {
                let record = self.providers.get_mut(&provider).expect("it is connected");
                let at = record.live.iter().position(|(live, _)| *live == attempt);
                let (_, task) = record
                    .live
                    .remove(at.expect("only what is live is revoked"));
                if self.checks.remove(&attempt).is_some() {
                    return self.old.push((provider, attempt));
                }
                self.end_attempt(provider, attempt, task, None);
                let job = self.jobs.get_mut(&task.job).expect("it is there");
                *job.revoked.entry(task.index).or_default() += 1;
            }
            Effect::TaskEnded {
                task,
                end,
                attempts,
            } => self.end_task(task, &end, attempts),
            Effect::JobEnded { job, counts } => {
                let record = self.jobs.remove(&job).expect("a job ends once");
                self.known.retain(|task, _| task.job != job);
                assert!(self.checks.values().all(|task| task.job != job));
                assert!(self.ended_jobs.insert(job));
                assert_eq!(record.ended.len(), record.spec.tasks as usize);
                assert!(record.live.is_empty());
                assert_eq!(
                    (counts.tasks, counts.ended()),
                    (record.spec.tasks, record.spec.tasks)
                );
            }
            Effect::Dropped { .. } => panic!("only live attempts were named"),
        }
    }

    fn end_task(&mut self, task: TaskId, end: &End, attempts: u32) {
        self.learn(task, end);
        let trusted = match end {
            End::Final { attempt, .. } => self.trusted.contains(attempt),
            _ => false,
        };
        let needed = self.quorum(&self.jobs[&task.job]);
        let job = self.jobs.get_mut(&task.job).expect("the job has not ended");
        let losses = job.losses.remove(&task.index).unwrap_or(0);
        let votes = job.votes.remove(&task.index).unwrap_or_default();
        let revoked = job.revoked.remove(&task.index).unwrap_or(0);
        let alone = needed <= 1 || (trusted && job.spec.quorum <= 1);
        checks::check_end(job, end, losses, &votes, if alone { 1 } else { needed });
        if needed <= 1 && matches!(end, End::Final { .. }) {
            assert_eq!(attempts, losses + revoked + 1);
        }
        job.struck.remove(&task.index);
        let ended = match end {
            End::Final { attempt, .. } => {
                let won = votes.iter().find(|vote| vote.attempt == *attempt);
                let won = won.expect("the result that counts was given");
                if won.succeeded {
                    Ended::Succeeded
                } else {
                    Ended::Failed
                }
            }
            End::Lost { .. } => Ended::Lost,
            End::Rejected { .. } => Ended::Rejected,
            End::Disputed { .. } => Ended::Disputed,
            End::Cancelled => Ended::Cancelled,
        };
        let before = job.ended.insert(task.index, ended);
        assert_eq!(before, None, "{task} ended twice");
        assert!(!job.live.contains_key(&task.index), "{task} is live still");
        self.store.end(task, ended);
    }

    /// Equal results that a task of the job may need.
    fn quorum(&self, job: &ModelJob) -> u32 {
        match self.config.trust {
            Trust::All => job.spec.quorum,
            Trust::Adaptive => job.spec.quorum.max(2),
        }
    }

    /// What an agreement says about those who gave results.
    fn learn(&mut self, task: TaskId, end: &End) {
        let votes = self.jobs[&task.job].votes.get(&task.index);
        let (Trust::Adaptive, Some(votes), End::Final { attempt, .. }) =
            (self.config.trust, votes, end)
        else {
            return;
        };
        let won = votes.iter().find(|vote| vote.attempt == *attempt);
        let won = won.expect("the result that counts was given");
        if checks::equal_to(won, votes) < 2 {
            return;
        }
        self.known
            .extend(won.fingerprint.map(|known| (task, known)));
        let mut liars = Vec::new();
        for vote in votes {
            if vote.fingerprint == won.fingerprint {
                *self.confirmed.entry(vote.group.party()).or_default() += 1;
            } else {
                liars.push(vote.group.party());
            }
        }
        for liar in liars {
            self.confirmed.remove(&liar);
            self.strike(task, liar);
        }
    }

    fn learn_of_check(&mut self, group: Group, task: TaskId, verdict: &Verdict) {
        match verdict {
            Verdict::Final { fingerprint, .. } if *fingerprint == Some(self.known[&task]) => {
                *self.confirmed.entry(group.party()).or_default() += 1;
            }
            Verdict::Final { .. } => {
                self.confirmed.remove(&group.party());
                self.strike(task, group.party());
            }
            Verdict::Returned | Verdict::Fault { .. } => {}
        }
    }

    /// Results of a group that nobody confirmed yet count no more.
    fn strike(&mut self, ended: TaskId, liar: Party) {
        for (id, job) in &mut self.jobs {
            for (index, votes) in &mut job.votes {
                if job.spec.quorum > 1 || (*id == ended.job && *index == ended.index) {
                    continue;
                }
                let struck = votes.extract_if(.., |vote| vote.group.party() == liar);
                let struck = struck.map(|vote| vote.group);
                job.struck.entry(*index).or_default().extend(struck);
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
        for group in 0..6 {
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
                panic!("tasks wait though everybody is idle")
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
