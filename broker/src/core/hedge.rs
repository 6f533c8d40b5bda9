//! Second attempts for stragglers.
//!
//! Near a job's end nothing of it waits any more, and what is left may be at a
//! provider that is slow, or dead without anybody knowing. Once results have
//! shown how long its tasks run, an attempt that takes much longer gets a
//! second one elsewhere, in a slot that nobody else wants; the first result
//! wins, and the other attempt is revoked.
//!
//! Live attempts and losses of a task together never exceed what its retries
//! allow: a job with `retries` 0 says that its tasks must not be tried twice,
//! and is never hedged.

use std::collections::BTreeMap;

use wasipool_shared::ids::AttemptId;

use super::Core;
use super::attempt::{Attempt, Trail, losses};
use super::event::Effect;
use super::job::Job;
use super::placement::Room;
use super::queue::Waiting;
use super::timer::Timer;

/// Where an attempt is: key of the provider, fencing number.
type Place = (u32, u64);

/// A task with two live attempts.
#[derive(Debug)]
pub(super) struct Hedge {
    first: Place,
    second: Place,
    /// The task's earlier attempts.
    trail: Option<Box<Trail>>,
}

impl Hedge {
    fn other(&self, attempt: u64) -> Place {
        if self.first.1 == attempt {
            self.second
        } else {
            self.first
        }
    }
}

/// The hedged tasks of a job, by index.
pub(super) type Hedges = BTreeMap<u32, Hedge>;

impl Core {
    /// Looks at a job's stragglers from time to time while it is near its end.
    pub(super) fn arm_hedging(&mut self, key: u32) {
        let job = &mut self.jobs[key];
        let ends = !job.waiting && job.running > 0 && job.retries > 0 && job.replicas.is_none();
        let mean_us = job
            .measured_us()
            .filter(|_| ends && self.config.straggler_factor > 0);
        let due_ms = mean_us.map(|mean_us| {
            let period_ms = (mean_us / 1e3) as u64 + self.config.straggler_ms;
            let next_ms = self.now_ms.saturating_add(period_ms.max(1));
            job.hedging_ms.unwrap_or(next_ms)
        });
        self.timers
            .replace(Timer::Hedging(key), job.hedging_ms, due_ms);
        job.hedging_ms = due_ms;
    }

    /// It is time to look at a job's stragglers, once all else is done.
    pub(super) fn note_hedging(&mut self, key: u32) {
        self.jobs[key].hedging_ms = None;
        self.to_hedge.push(key);
    }

    /// Gives stragglers of the jobs that are due a second attempt.
    pub(super) fn hedge(&mut self, effects: &mut Vec<Effect>) {
        for key in std::mem::take(&mut self.to_hedge) {
            // It may be gone, and its key another's, who is looked at in vain.
            let Some(job) = self.jobs.get(key) else {
                continue;
            };
            if !job.waiting && job.retries > 0 && job.replicas.is_none() {
                for (provider, attempt) in self.stragglers(key) {
                    if !self.hedge_one(key, provider, attempt, effects) {
                        break;
                    }
                }
            }
            self.arm_hedging(key);
        }
    }

    /// Attempts of a job that take much longer than they should, and may have a
    /// second one.
    fn stragglers(&self, key: u32) -> Vec<Place> {
        let job = &self.jobs[key];
        let mut found = Vec::new();
        let mut left = job.running as usize + job.hedges.as_ref().map_or(0, |hedges| hedges.len());
        for (provider_key, provider) in self.pool.providers.iter() {
            if left == 0 {
                break;
            }
            for attempt in provider.in_flight.iter() {
                if attempt.job != key {
                    continue;
                }
                left = left.saturating_sub(1);
                if self.is_late(job, attempt, provider.speed) && job.may_hedge(attempt) {
                    found.push((provider_key, attempt.id));
                }
            }
        }
        found
    }

    fn is_late(&self, job: &Job, attempt: &Attempt, speed: f64) -> bool {
        let expected_us = u64::from(attempt.wait_us) + job.expected_us(speed, &self.config) as u64;
        let allowed_ms = expected_us * u64::from(self.config.straggler_factor) / 1_000;
        let late_ms = attempt.sent_ms + allowed_ms + self.config.straggler_ms;
        self.now_ms >= late_ms
    }

    /// Whether a slot was found for a second attempt.
    fn hedge_one(
        &mut self,
        key: u32,
        provider: u32,
        attempt: u64,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let job = &self.jobs[key];
        let needs = self.classes.get(job.class).needs;
        let entry = &self.pool.providers[provider];
        let (id, group) = (entry.id, entry.group);
        let first = entry.in_flight.get(attempt);
        let first = first.expect("a straggler is live");
        let (index, avoid) = (
            first.index,
            first.trail.as_ref().and_then(|trail| trail.avoid),
        );
        // What keeps the first from ending may be what both have in common.
        let found = [true, false].into_iter().find_map(|far| {
            self.pool.find(Room::Slot, &needs, job.module, |other| {
                other.id != id && Some(other.id) != avoid && (!far || !other.group.meets(group))
            })
        });
        let Some(second) = found else {
            return false;
        };
        let hedge = Hedge {
            first: (provider, attempt),
            second: (second, self.attempts),
            trail: self.pool.trail_of(provider, attempt).take(),
        };
        let hedges = self.jobs[key].hedges.get_or_insert_default();
        hedges.insert(index, hedge);
        let waiting = Waiting { index, trail: None };
        self.assign(key, second, waiting, effects);
        true
    }

    /// A hedged task has a result: the other attempt is stopped. Returns what
    /// the task remembers, and how many attempts were revoked.
    pub(super) fn settle_hedge(&mut self, attempt: &mut Attempt, effects: &mut Vec<Effect>) -> u32 {
        let Some(hedge) = self.jobs[attempt.job].take_hedge(attempt.index) else {
            return 0;
        };
        let (provider, other) = hedge.other(attempt.id);
        attempt.trail = hedge.trail;
        self.revoke_at(provider, other, effects);
        1
    }

    /// One of a hedged task's attempts came to nothing: the other goes on with
    /// what the task remembers. Whether it was one.
    pub(super) fn lose_hedged(
        &mut self,
        attempt: &Attempt,
        note: impl FnOnce(&mut Option<Box<Trail>>),
    ) -> bool {
        let Some(mut hedge) = self.jobs[attempt.job].take_hedge(attempt.index) else {
            return false;
        };
        note(&mut hedge.trail);
        let (provider, other) = hedge.other(attempt.id);
        *self.pool.trail_of(provider, other) = hedge.trail;
        true
    }

    /// Stops the second attempts of a job that is cancelled.
    pub(super) fn revoke_hedges(&mut self, key: u32, effects: &mut Vec<Effect>) {
        for hedge in self.jobs[key]
            .hedges
            .take()
            .into_iter()
            .flat_map(|all| *all)
        {
            let (
                _,
                Hedge {
                    first,
                    second,
                    trail,
                },
            ) = hedge;
            *self.pool.trail_of(first.0, first.1) = trail;
            self.revoke_at(second.0, second.1, effects);
        }
    }

    pub(super) fn revoke_at(&mut self, provider: u32, attempt: u64, effects: &mut Vec<Effect>) {
        self.pool.take(provider, attempt, &self.jobs);
        effects.push(Effect::Revoke {
            provider: self.pool.providers[provider].id,
            attempt: AttemptId(attempt),
        });
    }
}

impl Job {
    /// Whether a second attempt beside this one is within the retries.
    fn may_hedge(&self, attempt: &Attempt) -> bool {
        let hedged = self.hedges.as_ref();
        let hedged = hedged.is_some_and(|hedges| hedges.contains_key(&attempt.index));
        !hedged && losses(attempt.trail.as_deref()) < self.retries
    }

    fn take_hedge(&mut self, index: u32) -> Option<Hedge> {
        let hedges = self.hedges.as_mut()?;
        let hedge = hedges.remove(&index);
        if hedges.is_empty() {
            self.hedges = None;
        }
        hedge
    }
}
