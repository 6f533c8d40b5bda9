//! What the core must look like from outside: a slow and simple record of all
//! effects, with the rules checked after each event.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

type Attempts = Vec<(ProviderId, AttemptId)>;

struct ModelJob {
    spec: JobSpec,
    ended: BTreeSet<u32>,
    live: BTreeMap<u32, Attempts>,
    /// Groups that gave a result, by task.
    votes: BTreeMap<u32, Vec<u64>>,
    losses: BTreeMap<u32, u32>,
    avoid: BTreeMap<u32, ProviderId>,
}

struct ModelProvider {
    kind: ProviderKind,
    capacity: Capacity,
    /// Slots before it paused.
    slots_in_use: u16,
    group: u64,
    draining: bool,
    live: Vec<(AttemptId, TaskId)>,
}

impl ModelProvider {
    fn suits(&self, spec: &JobSpec) -> bool {
        spec.requires.kind.is_none_or(|kind| kind == self.kind)
            && self.capacity.features.contains(spec.requires.features)
            && spec.memory_bytes <= self.capacity.memory_bytes
    }
}

/// The record.
pub(super) struct Model {
    core: Core,
    pub(super) now_ms: u64,
    prefetch_max: u32,
    jobs: BTreeMap<JobId, ModelJob>,
    ended_jobs: BTreeSet<JobId>,
    providers: BTreeMap<ProviderId, ModelProvider>,
    last_attempt: Option<AttemptId>,
    old: Attempts,
    names: u128,
}

impl Model {
    pub(super) fn new(prefetch_max: u32) -> Self {
        Self {
            core: Core::new(Config {
                prefetch_max,
                cooldown_faults: 2,
                ..Config::default()
            }),
            now_ms: 0,
            prefetch_max,
            jobs: BTreeMap::new(),
            ended_jobs: BTreeSet::new(),
            providers: BTreeMap::new(),
            last_attempt: None,
            old: Vec::new(),
            names: 0,
        }
    }

    pub(super) fn new_job(&mut self) -> JobId {
        self.names += 1;
        JobId(self.names)
    }

    pub(super) fn new_provider(&mut self) -> ProviderId {
        self.names += 1;
        ProviderId(self.names)
    }

    pub(super) fn any_job(&self, random: &mut Random) -> Option<JobId> {
        self.jobs
            .keys()
            .nth(random.below(self.jobs.len().max(1) as u64) as usize)
            .copied()
    }

    pub(super) fn any_provider(&self, random: &mut Random) -> Option<ProviderId> {
        let count = self.providers.len().max(1) as u64;
        self.providers
            .keys()
            .nth(random.below(count) as usize)
            .copied()
    }

    pub(super) fn any_attempt(&self, random: &mut Random) -> Option<(ProviderId, AttemptId)> {
        let provider = self.any_provider(random)?;
        let live = &self.providers[&provider].live;
        let at = random.below(live.len().max(1) as u64) as usize;
        live.get(at).map(|(attempt, _)| (provider, *attempt))
    }

    /// An outcome of an attempt that is no more changes nothing.
    pub(super) fn repeat_old_outcome(&mut self, random: &mut Random) {
        let at = random.below(self.old.len().max(1) as u64) as usize;
        let Some((provider, attempt)) = self.old.get(at).copied() else {
            return;
        };
        let mut effects = Vec::new();
        let event = Event::Ended {
            provider,
            attempt,
            verdict: final_result(0),
            run_us: 1,
        };
        self.core.handle(self.now_ms, event, &mut effects);
        assert_eq!(effects, [Effect::Dropped { provider, attempt }]);
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.record(&event);
        let mut effects = Vec::new();
        self.core.handle(self.now_ms, event, &mut effects);
        for effect in effects {
            self.apply(effect);
        }
        self.check();
    }

    fn record(&mut self, event: &Event) {
        match event {
            Event::Submit { job, spec } => {
                let job_record = ModelJob {
                    spec: spec.clone(),
                    ended: BTreeSet::new(),
                    live: BTreeMap::new(),
                    votes: BTreeMap::new(),
                    losses: BTreeMap::new(),
                    avoid: BTreeMap::new(),
                };
                self.jobs.insert(*job, job_record);
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
                    let counts = at < usize::from(record.slots_in_use);
                    self.end_attempt(*provider, attempt, task, counts.then_some(None));
                }
            }
            Event::Ended {
                provider,
                attempt,
                verdict,
                ..
            } => {
                let record = self.providers.get_mut(provider).expect("it joined");
                let at = record.live.iter().position(|(live, _)| live == attempt);
                let (attempt, task) = record.live.remove(at.expect("it is live"));
                let group = record.group;
                let loss = matches!(verdict, Verdict::Fault { .. }).then_some(Some(*provider));
                self.end_attempt(*provider, attempt, task, loss);
                let job = self.jobs.get_mut(&task.job).expect("the job is there");
                match verdict {
                    Verdict::Final { .. } => job.votes.entry(task.index).or_default().push(group),
                    Verdict::Returned => drop(job.avoid.insert(task.index, *provider)),
                    Verdict::Fault { .. } => {}
                }
            }
            Event::Cancel { .. } | Event::RoundTrip { .. } | Event::Tick => {}
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
            Effect::Revoke { provider, attempt } => {
                let record = self.providers.get_mut(&provider).expect("it is connected");
                let at = record.live.iter().position(|(live, _)| *live == attempt);
                let (_, task) = record
                    .live
                    .remove(at.expect("only what is live is revoked"));
                self.end_attempt(provider, attempt, task, None);
            }
            Effect::TaskEnded {
                task,
                end,
                attempts,
            } => {
                let job = self.jobs.get_mut(&task.job).expect("the job has not ended");
                assert!(job.ended.insert(task.index), "{task} ended twice");
                let losses = job.losses.get(&task.index).copied().unwrap_or(0);
                assert_eq!(
                    matches!(end, End::Lost { .. }),
                    losses > job.spec.retries,
                    "{end:?}"
                );
                assert!(losses <= job.spec.retries + 1);
                if matches!(end, End::Final { .. }) && job.spec.quorum <= 1 {
                    assert_eq!(attempts, losses + 1);
                }
            }
            Effect::JobEnded { job, counts } => {
                let record = self.jobs.remove(&job).expect("a job ends once");
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

    fn assign(&mut self, provider: ProviderId, attempt: AttemptId, task: TaskId) {
        assert!(self.last_attempt < Some(attempt), "fencing numbers grow");
        self.last_attempt = Some(attempt);
        let view = self.core.provider(provider).expect("it is connected");
        assert_eq!(view.cooled_down_until_ms, None);
        let job = &self.jobs[&task.job];
        if job.spec.quorum <= 1 && job.avoid.get(&task.index) == Some(&provider) {
            assert!(
                !self.has_other(provider, &job.spec),
                "{task} goes back to where it failed"
            );
        }
        let groups: BTreeMap<ProviderId, u64> = self
            .providers
            .iter()
            .map(|(id, record)| (*id, record.group))
            .collect();
        let record = &self.providers[&provider];
        let job = self.jobs.get_mut(&task.job).expect("the job has not ended");
        assert!(!record.draining && record.suits(&job.spec));
        assert!(!job.ended.contains(&task.index));

        let live = job.live.entry(task.index).or_default();
        if job.spec.quorum <= 1 {
            assert!(live.is_empty(), "{task} is live already");
        } else {
            let votes = job.votes.get(&task.index).into_iter().flatten();
            let mut used = live.iter().map(|(id, _)| &groups[id]).chain(votes);
            assert!(
                used.all(|group| *group != record.group),
                "a group has one say"
            );
        }
        live.push((provider, attempt));

        let before = memory_at_once(&self.jobs, &self.providers[&provider], 0);
        let record = self.providers.get_mut(&provider).expect("it is connected");
        record.live.push((attempt, task));
        let slots = usize::from(record.capacity.slots);
        assert!(slots > 0 && record.live.len() <= slots + self.prefetch_max as usize);
        let at_once = memory_at_once(&self.jobs, &self.providers[&provider], 0);
        // Only a provider that offers less than before has more than fits.
        let fits = at_once <= self.providers[&provider].capacity.memory_bytes;
        assert!(fits || at_once == before, "memory");
    }

    fn check(&self) {
        let totals = self.core.totals();
        let attempts: usize = self
            .providers
            .values()
            .map(|record| record.live.len())
            .sum();
        let running: usize = self.jobs.values().map(|job| job.live.len()).sum();
        let open: usize = self
            .jobs
            .values()
            .map(|job| job.spec.tasks as usize - job.ended.len())
            .sum();
        assert_eq!(totals.attempts as usize, attempts);
        assert_eq!(
            (totals.running as usize, totals.queued as usize),
            (running, open - running)
        );
        assert_eq!(totals.jobs, self.jobs.len());
        assert!(
            self.core
                .next_deadline_ms()
                .is_none_or(|at_ms| at_ms > self.now_ms)
        );
        for (id, record) in &self.providers {
            let view = self.core.provider(*id).expect("it is connected");
            assert_eq!((view.busy + view.queued) as usize, record.live.len());
            let has_slot = record.live.len() < usize::from(record.capacity.slots);
            if has_slot && !record.draining && view.cooled_down_until_ms.is_none() {
                self.jobs
                    .values()
                    .for_each(|job| self.check_nothing_waits(*id, record, job));
            }
        }
    }

    /// The provider has a free slot: no task of the job may wait for one.
    fn check_nothing_waits(&self, id: ProviderId, record: &ModelProvider, job: &ModelJob) {
        let fits = || {
            let others = memory_at_once(&self.jobs, record, 1);
            others + job.spec.memory_bytes <= record.capacity.memory_bytes
        };
        let queued = job.spec.tasks as usize - job.ended.len() - job.live.len();
        if queued == 0 || job.spec.quorum > 1 || !record.suits(&job.spec) || !fits() {
            return;
        }
        let has_other = self.has_other(id, &job.spec);
        for index in (0..job.spec.tasks).filter(|index| !job.ended.contains(index)) {
            let avoids = has_other && job.avoid.get(&index) == Some(&id);
            assert!(
                job.live.contains_key(&index) || avoids,
                "{index} waits for nothing"
            );
        }
    }

    /// Whether another provider takes tasks of that kind, were there room.
    fn has_other(&self, id: ProviderId, spec: &JobSpec) -> bool {
        self.providers.iter().any(|(other, record)| {
            let view = self.core.provider(*other).expect("it is connected");
            *other != id
                && !record.draining
                && record.capacity.slots > 0
                && view.cooled_down_until_ms.is_none()
                && record.suits(spec)
        })
    }

    /// Healthy providers come: everything ends.
    pub(super) fn finish(&mut self) {
        for group in 0..6 {
            for kind in [ProviderKind::Native, ProviderKind::Browser] {
                let provider = self.new_provider();
                let capacity = capacity(4);
                self.handle(Event::Join {
                    provider,
                    kind,
                    capacity,
                    group: 100 + group,
                });
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
    }
}

/// Memory of as many of the largest tasks as can run at once, less `fewer`.
fn memory_at_once(jobs: &BTreeMap<JobId, ModelJob>, record: &ModelProvider, fewer: usize) -> u64 {
    let mut sizes: Vec<u64> = record
        .live
        .iter()
        .map(|(_, task)| jobs[&task.job].spec.memory_bytes)
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
        .into_iter()
        .take(usize::from(record.capacity.slots).saturating_sub(fewer))
        .sum()
}
