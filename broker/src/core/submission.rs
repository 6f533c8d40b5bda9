//! Jobs that come and go, and tasks that end without a result.

use std::sync::Arc;

use wasipool_shared::ids::{AttemptId, JobId};

use super::Core;
use super::class::Needs;
use super::event::{Counts, Effect, End, JobSpec};
use super::job::{Job, Keys};
use super::quorum::Replica;
use super::reason;
use super::timer::Timer;

impl Core {
    pub(super) fn submit(
        &mut self,
        now_ms: u64,
        id: JobId,
        spec: &JobSpec,
        effects: &mut Vec<Effect>,
    ) {
        if self.job_keys.contains_key(&id) {
            return;
        }
        let ended = spec.resumed.as_ref().map(|resumed| resumed.ended);
        let ended = ended.unwrap_or_default();
        if ended.ended() >= spec.tasks {
            let counts = Counts {
                tasks: spec.tasks,
                queued: 0,
                running: 0,
                ..ended
            };
            effects.push(Effect::JobEnded { job: id, counts });
            return;
        }
        let providers = self.pool.providers.iter().map(|(_, provider)| provider);
        let class = self.classes.acquire(now_ms, Needs::of(spec), providers);
        let keys = Keys {
            class,
            owner: self.owners.acquire(spec.owner),
            age: self.age,
        };
        let job = Job::new(now_ms, id, spec, &self.config, keys, &mut self.modules);
        self.age += 1;
        self.queued += u64::from(job.queued());
        let key = self.jobs.insert(job);
        self.job_keys.insert(id, key);
        self.refresh(key);
    }

    /// Brings up to date what follows from a job's queue: its place in the
    /// backlog, and its deadline while nobody is able.
    pub(super) fn refresh(&mut self, key: u32) {
        let job = &mut self.jobs[key];
        if job.has_work() != job.waiting {
            job.waiting = !job.waiting;
            let before = self.owners.turn(job.owner);
            if job.waiting {
                job.tag = self.owners.enter(job.owner, job.tag, job.weight);
                let owner = self.owners.turn(job.owner);
                self.classes.owner_moved(before, owner);
                self.classes.enqueue(job.class, owner, job.turn(key));
                job.started_ms = self.now_ms;
                job.ages = 0;
            } else {
                self.owners.exit(job.owner, job.weight);
                self.classes.dequeue(job.class, before, job.turn(key));
            }
        }
        self.arm_ageing(key);
        self.arm_hedging(key);
        let job = &mut self.jobs[key];
        let unable_since_ms = self.classes.get(job.class).unable_since_ms;
        let deadline_ms = unable_since_ms
            .filter(|_| job.queued() > 0)
            .map(|since_ms| {
                since_ms
                    .max(job.submitted_ms)
                    .saturating_add(job.placement_timeout_ms)
            });
        self.timers
            .replace(Timer::Placement(key), job.placement_ms, deadline_ms);
        job.placement_ms = deadline_ms;
    }

    /// Takes up what an event did to a job: call it last, for the job may be
    /// gone after it.
    pub(super) fn settle_job(&mut self, key: u32, effects: &mut Vec<Effect>) {
        self.refresh(key);
        let job = &self.jobs[key];
        if job.ended.ended() < job.ended.tasks {
            return;
        }
        self.stop_checks(key, effects);
        let job = self.jobs.remove(key);
        job.teach(&mut self.modules);
        self.classes.release(job.class);
        self.owners.release(job.owner);
        self.job_keys.remove(&job.id);
        effects.push(Effect::JobEnded {
            job: job.id,
            counts: job.ended,
        });
    }

    /// Ends a task that has no live attempt.
    pub(super) fn end_queued(
        &mut self,
        key: u32,
        index: u32,
        attempts: u32,
        end: End,
        effects: &mut Vec<Effect>,
    ) {
        self.queued -= 1;
        let job = &mut self.jobs[key];
        match end {
            End::Final { .. } => unreachable!("a task with a result was running"),
            End::Lost { .. } => job.ended.lost += 1,
            End::Rejected { .. } => job.ended.rejected += 1,
            End::Disputed { .. } => job.ended.disputed += 1,
            End::Cancelled => job.ended.cancelled += 1,
        }
        effects.push(Effect::TaskEnded {
            task: job.task(index),
            end,
            attempts,
        });
    }

    /// A task has no live attempt any more.
    pub(super) fn stop_running(&mut self, key: u32) {
        self.jobs[key].running -= 1;
        self.running -= 1;
        self.queued += 1;
    }

    pub(super) fn cancel(&mut self, id: JobId, effects: &mut Vec<Effect>) {
        let Some(key) = self.job_keys.get(&id).copied() else {
            return;
        };
        self.end_all_queued(key, &End::Cancelled, effects);
        if self.jobs[key].replicas.is_some() {
            self.cancel_replicas(key, effects);
        } else {
            self.revoke_hedges(key, effects);
            self.cancel_attempts(key, effects);
        }
        self.settle_job(key, effects);
    }

    /// Revokes the attempts of a job without a quorum, wherever they are.
    fn cancel_attempts(&mut self, key: u32, effects: &mut Vec<Effect>) {
        // A job of one task, the usual one to be cancelled, has its only
        // attempt where it got its last one: no search.
        let hint = self.jobs[key].last_provider;
        for provider in std::iter::once(hint).chain(0..self.pool.providers.key_end()) {
            if self.jobs[key].running == 0 {
                return;
            }
            if self.pool.providers.get(provider).is_none() {
                continue;
            }
            for (provider_id, attempt) in self.pool.revoke_job(provider, key, &self.jobs) {
                effects.push(Effect::Revoke {
                    provider: provider_id,
                    attempt: AttemptId(attempt.id),
                });
                self.stop_running(key);
                let attempts = super::attempt::losses(attempt.trail.as_deref()) + 1;
                self.end_queued(key, attempt.index, attempts, End::Cancelled, effects);
            }
        }
    }

    fn cancel_replicas(&mut self, key: u32, effects: &mut Vec<Effect>) {
        let replicas = self.jobs[key]
            .replicas
            .as_ref()
            .expect("the job has a quorum");
        for index in replicas.indices() {
            self.end_replicated(key, index, End::Cancelled, effects);
        }
    }

    /// Ends a task in flight of a job with a quorum, and what is left of it.
    pub(super) fn end_replicated(
        &mut self,
        key: u32,
        index: u32,
        end: End,
        effects: &mut Vec<Effect>,
    ) {
        let replicas = self.jobs[key]
            .replicas
            .as_mut()
            .expect("the job has a quorum");
        let Some(task) = replicas.remove(index) else {
            return;
        };
        let timer = Timer::Replica(key, index);
        self.timers.replace(timer, task.deadline_ms, None);
        if !task.live.is_empty() {
            self.stop_running(key);
        }
        for replica in &task.live {
            self.revoke_replica(key, replica, effects);
        }
        self.end_queued(key, index, task.attempts(), end, effects);
    }

    pub(super) fn revoke_replica(
        &mut self,
        key: u32,
        replica: &Replica,
        effects: &mut Vec<Effect>,
    ) {
        self.pool.take(replica.key, replica.attempt, &self.jobs);
        debug_assert!(self.jobs.get(key).is_some());
        effects.push(Effect::Revoke {
            provider: replica.provider,
            attempt: AttemptId(replica.attempt),
        });
    }

    /// Ends everything of a job that has no live attempt.
    fn end_all_queued(&mut self, key: u32, end: &End, effects: &mut Vec<Effect>) {
        effects.reserve(self.jobs[key].queued() as usize);
        while let Some(waiting) = self.jobs[key].queue.take_any() {
            let attempts = super::attempt::losses(waiting.trail.as_deref());
            self.end_queued(key, waiting.index, attempts, end.clone(), effects);
        }
        let idle = self.jobs[key]
            .replicas
            .as_ref()
            .map_or(Vec::new(), |replicas| replicas.idle());
        for index in idle {
            self.end_replicated(key, index, end.clone(), effects);
        }
    }

    /// Nobody able came in time.
    pub(super) fn reject_queued(&mut self, key: u32, effects: &mut Vec<Effect>) {
        let class = self.classes.get(self.jobs[key].class);
        let reason: Arc<str> = reason::missing(class, &self.pool);
        self.end_all_queued(key, &End::Rejected { reason }, effects);
    }
}
