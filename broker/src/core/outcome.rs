//! Attempts that end.

use std::sync::Arc;

use wasipool_shared::ids::{AttemptId, ProviderId};

use super::Core;
use super::attempt::{Attempt, Trail, losses};
use super::event::{Effect, End, Verdict};
use super::fair::AGES_MAX;
use super::job::Job;
use super::pool::Pool;
use super::queue::Waiting;
use super::quorum::{Tally, Vote};
use super::slab::Slab;
use super::timer::Timer;

/// How an attempt came to nothing.
enum Loss {
    /// It may have run: counts against the retries.
    Counted {
        reason: Arc<str>,
        /// Who should not get the task again at once.
        avoid: Option<ProviderId>,
    },
    /// It did not run.
    Free {
        /// As above, if the provider gave it back.
        avoid: Option<ProviderId>,
    },
}

impl Pool {
    /// Takes out an attempt that is live at that provider.
    pub(super) fn take(&mut self, key: u32, attempt: u64, jobs: &Slab<Job>) -> Option<Attempt> {
        let provider = &mut self.providers[key];
        let attempt = provider.in_flight.remove(attempt)?;
        provider.release(&attempt, jobs[attempt.job].memory_bytes);
        self.in_flight -= 1;
        self.shelve(key);
        Some(attempt)
    }

    /// Takes out the attempts of a job at that provider.
    pub(super) fn revoke_job(
        &mut self,
        key: u32,
        job: u32,
        jobs: &Slab<Job>,
    ) -> Vec<(ProviderId, Attempt)> {
        let provider = &mut self.providers[key];
        let removed = provider.in_flight.remove_job(job);
        self.in_flight -= removed.len() as u64;
        for attempt in &removed {
            provider.release(attempt, jobs[job].memory_bytes);
        }
        let id = provider.id;
        self.shelve(key);
        removed.into_iter().map(|attempt| (id, attempt)).collect()
    }
}

impl Core {
    pub(super) fn end_attempt(
        &mut self,
        now_ms: u64,
        (provider, attempt): (ProviderId, AttemptId),
        verdict: Verdict,
        run_us: u64,
        effects: &mut Vec<Effect>,
    ) {
        let live = self.pool.key(provider).and_then(|key| {
            self.pool
                .take(key, attempt.0, &self.jobs)
                .map(|attempt| (key, attempt))
        });
        let Some((provider_key, mut attempt)) = live else {
            effects.push(Effect::Dropped { provider, attempt });
            return;
        };
        if self.end_check(now_ms, attempt.id, &verdict, run_us, effects) {
            return;
        }
        let key = attempt.job;
        match verdict {
            Verdict::Final {
                succeeded,
                fingerprint,
            } => {
                self.learn(provider_key, key, run_us);
                if self.jobs[key].replicas.is_some() {
                    self.vote(now_ms, &attempt, succeeded, fingerprint, effects);
                } else {
                    let end = End::Final {
                        provider,
                        attempt: AttemptId(attempt.id),
                    };
                    let revoked = self.settle_hedge(&mut attempt, effects);
                    let attempts = losses(attempt.trail.as_deref()) + 1 + revoked;
                    self.end_final(key, attempt.index, attempts, succeeded, end, effects);
                }
            }
            Verdict::Returned => {
                // Who returns a task must not get it back for ever.
                let loss = Loss::Free {
                    avoid: Some(provider),
                };
                self.lose(now_ms, attempt, loss, effects);
            }
            Verdict::Fault { reason } => {
                self.count_fault(now_ms, provider_key, &reason);
                let reason = format!("provider {provider}: {reason}").into();
                let loss = Loss::Counted {
                    reason,
                    avoid: Some(provider),
                };
                self.lose(now_ms, attempt, loss, effects);
            }
        }
        self.settle_job(key, effects);
    }

    fn learn(&mut self, provider: u32, key: u32, run_us: u64) {
        let job = &mut self.jobs[key];
        let sample_us = self.pool.learn(provider, run_us, job.measured_us());
        let correction_us = job.learn(sample_us, &self.config);
        if correction_us != 0.0 {
            let before = self.owners.turn(job.owner);
            let tag = self
                .owners
                .correct(job.owner, job.tag, correction_us, job.weight);
            // Whoever goes first because it waited still does.
            let tag = if job.ages >= AGES_MAX { job.tag } else { tag };
            let after = self.owners.turn(job.owner);
            self.classes.owner_moved(before, after);
            self.retag(key, tag);
            // Later jobs with the module need not wait for this one's end.
            self.jobs[key].teach(&mut self.modules);
        }
    }

    /// Ends a running task with a result.
    fn end_final(
        &mut self,
        key: u32,
        index: u32,
        attempts: u32,
        succeeded: bool,
        end: End,
        effects: &mut Vec<Effect>,
    ) {
        self.running -= 1;
        let job = &mut self.jobs[key];
        job.running -= 1;
        if succeeded {
            job.ended.succeeded += 1;
        } else {
            job.ended.failed += 1;
        }
        effects.push(Effect::TaskEnded {
            task: job.task(index),
            end,
            attempts,
        });
    }

    /// Every attempt of a provider that is gone; the first `started` of them
    /// may have run.
    pub(super) fn lose_all(
        &mut self,
        now_ms: u64,
        provider: ProviderId,
        attempts: Vec<Attempt>,
        started: u32,
        effects: &mut Vec<Effect>,
    ) {
        let reason: Arc<str> = format!("provider {provider} left").into();
        let mut jobs: Vec<u32> = attempts.iter().map(|attempt| attempt.job).collect();
        // Backwards, since each goes before those that are already there.
        for (at, attempt) in attempts.into_iter().enumerate().rev() {
            if self.forget_check(attempt.id) {
                continue;
            }
            let loss = if at < started as usize {
                Loss::Counted {
                    reason: Arc::clone(&reason),
                    avoid: None,
                }
            } else {
                Loss::Free { avoid: None }
            };
            self.lose(now_ms, attempt, loss, effects);
        }
        jobs.sort_unstable();
        jobs.dedup();
        for job in jobs {
            self.settle_job(job, effects);
        }
    }

    /// An attempt came to nothing: its task goes back to the front, or is lost.
    fn lose(&mut self, now_ms: u64, attempt: Attempt, loss: Loss, effects: &mut Vec<Effect>) {
        let (key, index) = (attempt.job, attempt.index);
        if self.jobs[key].replicas.is_some() {
            return self.lose_replica(now_ms, &attempt, loss, effects);
        }
        let mut loss = Some(loss);
        let mut note_once =
            |trail: &mut _| loss.take().into_iter().for_each(|loss| note(trail, loss));
        if self.lose_hedged(&attempt, &mut note_once) {
            return;
        }
        self.stop_running(key);
        let mut trail = attempt.trail;
        note_once(&mut trail);
        let lost = losses(trail.as_deref());
        match trail {
            Some(trail) if lost > self.jobs[key].retries => {
                let end = End::Lost {
                    reason: trail.summary(),
                };
                self.end_queued(key, index, lost, end, effects);
            }
            trail => self.jobs[key].queue.push_front(Waiting { index, trail }),
        }
    }

    fn lose_replica(
        &mut self,
        now_ms: u64,
        attempt: &Attempt,
        loss: Loss,
        effects: &mut Vec<Effect>,
    ) {
        let (key, index) = (attempt.job, attempt.index);
        let job = &mut self.jobs[key];
        let task = job
            .replicas
            .as_mut()
            .expect("the job has a quorum")
            .task(index);
        task.live.retain(|replica| replica.attempt != attempt.id);
        let mut trail = Some(Box::new(std::mem::take(&mut task.trail)));
        note(&mut trail, loss);
        task.trail = trail.map(|trail| *trail).unwrap_or_default();
        let lost = (task.trail.losses > job.retries).then(|| task.trail.summary());
        if task.live.is_empty() {
            self.stop_running(key);
        }
        match lost {
            Some(reason) => self.end_replicated(key, index, End::Lost { reason }, effects),
            None => self.count_votes(now_ms, key, index, effects),
        }
    }

    fn vote(
        &mut self,
        now_ms: u64,
        attempt: &Attempt,
        succeeded: bool,
        fingerprint: Option<wasipool_shared::digest::Digest>,
        effects: &mut Vec<Effect>,
    ) {
        let (key, index) = (attempt.job, attempt.index);
        let job = &mut self.jobs[key];
        let task = job
            .replicas
            .as_mut()
            .expect("the job has a quorum")
            .task(index);
        let at = task
            .live
            .iter()
            .position(|replica| replica.attempt == attempt.id);
        let replica = task
            .live
            .remove(at.expect("a live attempt is one of its task's"));
        task.votes.push(Vote {
            replica,
            succeeded,
            fingerprint,
        });
        if task.live.is_empty() {
            self.stop_running(key);
        }
        self.count_votes(now_ms, key, index, effects);
    }

    /// Sees what the results of a task come to by now.
    pub(super) fn count_votes(
        &mut self,
        now_ms: u64,
        key: u32,
        index: u32,
        effects: &mut Vec<Effect>,
    ) {
        let job = &mut self.jobs[key];
        let replicas = job.replicas.as_mut().expect("the job has a quorum");
        match replicas.tally(index) {
            Tally::Open => self.arm_replica(now_ms, key, index),
            Tally::Disputed => {
                let votes = replicas.task(index).votes.len();
                let reason = format!("{votes} providers gave results that differ").into();
                self.end_replicated(key, index, End::Disputed { reason }, effects);
            }
            Tally::Agreed(vote) => {
                let Some(task) = replicas.remove(index) else {
                    return;
                };
                self.timers
                    .replace(Timer::Replica(key, index), task.deadline_ms, None);
                if task.live.is_empty() {
                    // It counted as queued from its last replica's end to here.
                    self.jobs[key].running += 1;
                    self.running += 1;
                    self.queued -= 1;
                }
                for replica in &task.live {
                    self.revoke_replica(key, replica, effects);
                }
                let liars = self.learn_of_votes((key, index), &task, &vote);
                let end = End::Final {
                    provider: vote.replica.provider,
                    attempt: AttemptId(vote.replica.attempt),
                };
                self.end_final(key, index, task.attempts(), vote.succeeded, end, effects);
                for liar in liars {
                    self.distrust(now_ms, Some(key), liar, effects);
                }
            }
        }
    }

    /// A task that has results but waits for another group gets a deadline;
    /// while one of its attempts is live it needs none.
    pub(super) fn arm_replica(&mut self, now_ms: u64, key: u32, index: u32) {
        let job = &mut self.jobs[key];
        let timeout_ms = job.placement_timeout_ms;
        let task = job
            .replicas
            .as_mut()
            .expect("the job has a quorum")
            .task(index);
        let waits = task.live.is_empty() && task.is_begun();
        let deadline_ms = waits.then(|| {
            task.deadline_ms
                .unwrap_or_else(|| now_ms.saturating_add(timeout_ms))
        });
        self.timers
            .replace(Timer::Replica(key, index), task.deadline_ms, deadline_ms);
        task.deadline_ms = deadline_ms;
    }

    /// The deadline of a task that waits for another group has come: it ends if
    /// there is none, and waits on if all of them are merely busy.
    pub(super) fn give_up_replica(
        &mut self,
        now_ms: u64,
        key: u32,
        index: u32,
        effects: &mut Vec<Effect>,
    ) {
        let job = &mut self.jobs[key];
        let class = self.classes.get(job.class);
        let task = job
            .replicas
            .as_mut()
            .expect("the job has a quorum")
            .task(index);
        task.deadline_ms = None;
        if class.has_unused_group(|group| task.uses(group)) {
            return self.arm_replica(now_ms.saturating_add(1), key, index);
        }
        let reason = format!(
            "{} of {} equal results came and no provider of another account or address is connected",
            most_equal(&task.votes),
            task.quorum
        )
        .into();
        self.end_replicated(key, index, End::Disputed { reason }, effects);
    }
}

fn most_equal(votes: &[Vote]) -> usize {
    let equal = |vote: &Vote| {
        let same = |other: &&Vote| other.fingerprint == vote.fingerprint;
        if vote.fingerprint.is_some() {
            votes.iter().filter(same).count()
        } else {
            1
        }
    };
    votes.iter().map(equal).max().unwrap_or(0)
}

/// Adds a loss to what a task remembers.
fn note(trail: &mut Option<Box<Trail>>, loss: Loss) {
    match loss {
        Loss::Counted { reason, avoid } => trail.get_or_insert_default().lose(reason, avoid),
        Loss::Free { avoid: None } => {}
        Loss::Free { avoid } => trail.get_or_insert_default().avoid = avoid,
    }
}
