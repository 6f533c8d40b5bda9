//! The rules. Their list is in docs/ARCHITECTURE.md.

use std::collections::BTreeMap;

use super::super::*;
use super::{Model, ModelJob, ModelProvider, Vote};

/// A task may end so, after so many losses and with these results.
pub(super) fn check_end(job: &ModelJob, end: &End, losses: u32, votes: &[Vote], needed: u32) {
    let retries = job.spec.retries;
    assert!(losses <= retries + 1, "more retries than allowed");
    assert_eq!(
        matches!(end, End::Lost { .. }),
        losses > retries,
        "{end:?} after {losses} losses"
    );
    if let End::Final { attempt, .. } = end {
        let won = votes.iter().find(|vote| vote.attempt == *attempt);
        let won = won.expect("the result that counts was given");
        let agreed = equal_to(won, votes);
        assert!(agreed >= needed, "{agreed} equal results of {needed}");
    }
}

/// Results equal to one of them, itself included.
pub(super) fn equal_to(vote: &Vote, votes: &[Vote]) -> u32 {
    let equal = |other: &&Vote| vote.fingerprint.is_some() && other.fingerprint == vote.fingerprint;
    votes.iter().filter(equal).count().max(1) as u32
}

impl Model {
    pub(super) fn assign(&mut self, provider: ProviderId, attempt: AttemptId, task: TaskId) {
        assert!(self.last_attempt < Some(attempt), "fencing numbers grow");
        self.last_attempt = Some(attempt);
        let view = self.core.provider(provider).expect("it is connected");
        assert_eq!(view.cooled_down_until_ms, None);
        let job = &self.jobs[&task.job];
        if self.quorum(job) <= 1 && job.avoid.get(&task.index) == Some(&provider) {
            assert!(
                !self.has_other(provider, &job.spec),
                "{task} goes back to where it failed"
            );
        }
        let record = &self.providers[&provider];
        assert!(!record.draining && record.suits(&job.spec));
        assert!(task.index < job.spec.tasks && !job.ended.contains_key(&task.index));
        self.check_replicas(provider, task);
        self.check_starvation(provider, task);
        if self.confirmed.get(&self.providers[&provider].group.party())
            >= Some(&self.config.trusted_after)
        {
            self.trusted.insert(attempt);
        }
        let job = self.jobs.get_mut(&task.job).expect("the job has not ended");
        let live = job.live.entry(task.index).or_default();
        live.push((provider, attempt));

        self.give(provider, attempt, task);
    }

    /// A provider that is not trusted gets a task whose result is known.
    pub(super) fn assign_check(&mut self, provider: ProviderId, attempt: AttemptId, task: TaskId) {
        assert!(self.last_attempt < Some(attempt), "fencing numbers grow");
        self.last_attempt = Some(attempt);
        let view = self.core.provider(provider).expect("it is connected");
        assert_eq!(view.cooled_down_until_ms, None);
        assert!(self.known.contains_key(&task), "{task} is not known");
        let record = &self.providers[&provider];
        assert!(!record.draining && record.suits(&self.jobs[&task.job].spec));
        let confirmed = self.confirmed.get(&record.group.party());
        assert!(confirmed < Some(&self.config.trusted_after));
        self.checks.insert(attempt, task);
        self.give(provider, attempt, task);
    }

    fn give(&mut self, provider: ProviderId, attempt: AttemptId, task: TaskId) {
        let before = memory_at_once(&self.jobs, &self.providers[&provider], 0);
        let record = self.providers.get_mut(&provider).expect("it is connected");
        record.live.push((attempt, task));
        let slots = usize::from(record.capacity.slots);
        let credit = slots + self.config.prefetch_max as usize;
        assert!(slots > 0 && record.live.len() <= credit, "over its credit");
        let at_once = memory_at_once(&self.jobs, &self.providers[&provider], 0);
        // Only a provider that offers less than before has more than fits.
        let fits = at_once <= self.providers[&provider].capacity.memory_bytes;
        assert!(fits || at_once == before, "more memory than it has");
    }

    /// A task starts: jobs of the same owner that have waited for longer than
    /// ten periods of ageing, and could have had the slot, are passed over at
    /// most once by each of the others, whatever their priority.
    fn check_starvation(&mut self, provider: ProviderId, task: TaskId) {
        let record = &self.providers[&provider];
        let owner = self.jobs[&task.job].spec.owner;
        let room = memory_at_once(&self.jobs, record, 1);
        let room = record.capacity.memory_bytes.saturating_sub(room);
        let has_slot = record.live.len() < usize::from(record.capacity.slots);
        let fits = |job: &ModelJob| record.suits(&job.spec) && job.spec.memory_bytes <= room;
        let old_ms = self.now_ms.saturating_sub(10 * self.config.ageing_ms);
        let starves = |id: JobId, job: &ModelJob| {
            let free = |index: &u32| {
                let taken = job.ended.contains_key(index) || job.live.contains_key(index);
                !taken && !job.avoid.contains_key(index)
            };
            id != task.job
                && self.quorum(job) <= 1
                && job.spec.owner == owner
                && job.waits_since_ms.is_some_and(|since_ms| since_ms < old_ms)
                && (0..job.spec.tasks).any(|index| free(&index))
        };
        let mut starved = Vec::new();
        for (id, job) in &self.jobs {
            if has_slot && fits(job) && starves(*id, job) {
                starved.push(*id);
            }
        }
        for id in starved {
            let job = self.jobs.get_mut(&id).expect("it is there");
            assert!(job.passed_by.insert(task.job), "{id} starves");
        }
        let job = self.jobs.get_mut(&task.job).expect("the job has not ended");
        job.waits_since_ms = Some(self.now_ms);
        job.passed_by.clear();
    }

    /// One more attempt of the task is no more than was asked for, and not at a
    /// group that had its say.
    fn check_replicas(&self, provider: ProviderId, task: TaskId) {
        let record = &self.providers[&provider];
        let job = &self.jobs[&task.job];
        let live = job.live.get(&task.index).map_or(&[][..], Vec::as_slice);
        if self.quorum(job) <= 1 {
            return self.check_hedge(provider, job, task.index);
        }
        let votes = job.votes.get(&task.index).map_or(&[][..], Vec::as_slice);
        let lives = live.iter().map(|(id, _)| self.providers[id].group);
        let used = lives.chain(votes.iter().map(|vote| vote.group));
        let struck = job.struck.get(&task.index).into_iter().flatten();
        assert!(
            used.chain(struck.copied())
                .all(|group| !group.meets(record.group)),
            "a group has one say"
        );
        let wanted = self.wanted(job, votes);
        assert!((live.len() as u32) < wanted, "{task} has {wanted} replicas");
    }

    /// A second attempt may only be of a straggler near its job's end, within
    /// its retries, and elsewhere.
    fn check_hedge(&self, provider: ProviderId, job: &ModelJob, index: u32) {
        let live = job.live.get(&index).map_or(&[][..], Vec::as_slice);
        let Some((first, _)) = live.first() else {
            return;
        };
        assert!(live.len() == 1 && *first != provider, "it is live already");
        let open = job.spec.tasks as usize - job.ended.len();
        assert_eq!(open, job.live.len(), "others of the job wait");
        let losses = job.losses.get(&index).copied().unwrap_or(0);
        assert!(
            losses < job.spec.retries,
            "more attempts than retries allow"
        );
    }

    /// Live replicas that a task with these results may have.
    fn wanted(&self, job: &ModelJob, votes: &[Vote]) -> u32 {
        let quorum = self.quorum(job);
        let best = votes.iter().map(|vote| equal_to(vote, votes)).max();
        let results_max = quorum + self.config.quorum_extra;
        (quorum - best.unwrap_or(0)).min(results_max - votes.len() as u32)
    }

    pub(super) fn check(&self) {
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
                .is_none_or(|at_ms| at_ms > self.now_ms),
            "a deadline is behind"
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
        if !record.suits(&job.spec) || !fits() {
            return;
        }
        if self.quorum(job) > 1 {
            return self.check_no_replica_waits(id, record, job);
        }
        if job.spec.tasks as usize == job.ended.len() + job.live.len() {
            return;
        }
        let has_other = self.has_other(id, &job.spec);
        for index in (0..job.spec.tasks).filter(|index| !job.ended.contains_key(index)) {
            let avoids = has_other && job.avoid.get(&index) == Some(&id);
            assert!(
                job.live.contains_key(&index) || avoids,
                "{index} waits for nothing"
            );
        }
    }

    fn check_no_replica_waits(&self, id: ProviderId, record: &ModelProvider, job: &ModelJob) {
        let able = self.providers.values();
        let able = able.filter(|other| !other.draining && other.suits(&job.spec));
        let groups: std::collections::BTreeSet<Group> = able.map(|other| other.group).collect();
        for index in (0..job.spec.tasks).filter(|index| !job.ended.contains_key(index)) {
            let live = job.live.get(&index).map_or(&[][..], Vec::as_slice);
            let votes = job.votes.get(&index).map_or(&[][..], Vec::as_slice);
            // A task is not begun where too few groups are there to end it.
            let begun = !live.is_empty() || !votes.is_empty() || job.losses.contains_key(&index);
            if !begun && groups.len() < job.spec.quorum as usize {
                continue;
            }
            let lives = live.iter().map(|(id, _)| self.providers[id].group);
            let struck = job.struck.get(&index).into_iter().flatten().copied();
            let votes_of = votes.iter().map(|vote| vote.group);
            let mut used = lives.chain(votes_of).chain(struck);
            let avoids = job.avoid.get(&index) == Some(&id);
            // Who runs it alone may be trusted, this time or always.
            let alone = job.spec.quorum <= 1 && votes.is_empty();
            let wanted = if alone { 1 } else { self.wanted(job, votes) };
            let waits = (live.len() as u32) < wanted;
            assert!(
                !waits || avoids || used.any(|group| group.meets(record.group)),
                "a replica of {index} waits for nothing"
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
