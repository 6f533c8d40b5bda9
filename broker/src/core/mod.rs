//! The pure core of the broker: which task runs where, and how tasks end.
//!
//! A deterministic state machine. Time enters as an argument, what happened as
//! an [`Event`], what is to be done leaves as [`Effect`]s. It does no I/O, has
//! no clock and no source of randomness: the same events at the same times give
//! the same effects, which is what the simulation tests build on.
//!
//! # Layout
//! - `event`: what goes in and comes out.
//! - `job`, `queue`: a job and its queued tasks.
//! - `class`, `owners`, `fair`: jobs by what they need and whose they are; whose
//!   turn it is.
//! - `group`: whose a provider is.
//! - `pool`, `placement`: providers, in the order in which they get tasks.
//! - `attempt`, `quorum`, `hedge`: tasks in flight, once or several times.
//! - `trust`, `spot_check`: whose results are believed.
//! - `schedule`: brings the two together after each event.
//! - `submission`, `membership`, `outcome`: what each event does.
//! - `reason`, `timer`, `slab`: words, deadlines, storage.
//!
//! # Invariants
//! - Each task ends exactly once, and a job after the last of its tasks.
//! - Fencing numbers only grow; an outcome counts only while its attempt is
//!   live at exactly the provider that sends it.
//! - No queued task waits while a provider that may have it has a free slot.
//! - A job costs the same memory whether it has one task or a million, until
//!   its tasks are in flight.

mod attempt;
mod class;
mod event;
mod fair;
mod group;
mod hedge;
mod job;
mod membership;
mod outcome;
mod owners;
mod placement;
mod pool;
mod queue;
mod quorum;
mod reason;
mod schedule;
mod slab;
mod spot_check;
mod submission;
mod timer;
mod trust;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use wasipool_shared::ids::{JobId, ProviderId};

pub use event::{
    Config, Counts, Effect, End, Event, JobSpec, ProviderView, Requires, Resumed, Totals, Trust,
    Verdict,
};

pub use group::Group;
pub use trust::Standing;

use class::Classes;
use job::{Job, Modules};
use owners::Owners;
use pool::{Pool, Provider};
use slab::Slab;
use spot_check::SpotChecks;
use timer::{Timer, Timers};
use trust::Reputations;

/// The state machine.
///
/// Hand each event to [`handle`](Self::handle) and carry out the effects in
/// their order; hand it [`Event::Tick`] when
/// [`next_deadline_ms`](Self::next_deadline_ms) has come.
#[derive(Debug)]
pub struct Core {
    config: Config,
    jobs: Slab<Job>,
    job_keys: BTreeMap<JobId, u32>,
    /// Jobs ever submitted.
    age: u64,
    classes: Classes,
    modules: Modules,
    owners: Owners,
    pool: Pool,
    reputations: Reputations,
    spot_checks: SpotChecks,
    timers: Timers,
    /// Jobs whose stragglers are to be looked at.
    to_hedge: Vec<u32>,
    /// The time of the event that is handled.
    now_ms: u64,
    /// Attempts ever made; the next one's fencing number.
    attempts: u64,
    /// Passes of the scheduler ever made.
    passes: u64,
    queued: u64,
    running: u64,
}

impl Core {
    /// A core without jobs and providers.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            pool: Pool::new(config.clone()),
            jobs: Slab::new(),
            job_keys: BTreeMap::new(),
            age: 0,
            classes: Classes::new(config.trust),
            modules: Modules::default(),
            owners: Owners::default(),
            reputations: Reputations::default(),
            spot_checks: SpotChecks::default(),
            timers: Timers::default(),
            to_hedge: Vec::new(),
            now_ms: 0,
            attempts: 0,
            config,
            passes: 0,
            queued: 0,
            running: 0,
        }
    }

    /// Takes in what happened at `now_ms`, a time that never goes back, and
    /// appends what is to be done.
    pub fn handle(&mut self, now_ms: u64, event: Event, effects: &mut Vec<Effect>) {
        self.now_ms = now_ms;
        self.run_due(now_ms, effects);
        match event {
            Event::Submit { job, spec } => self.submit(now_ms, job, &spec, effects),
            Event::Cancel { job } => self.cancel(job, effects),
            Event::Join {
                provider,
                kind,
                capacity,
                group,
            } => {
                self.join(now_ms, provider, kind, capacity, group);
            }
            Event::Capacity { provider, capacity } => {
                self.change_capacity(now_ms, provider, capacity);
            }
            Event::RoundTrip { provider, micros } => self.note_round_trip(provider, micros),
            Event::Drain { provider } => self.drain(now_ms, provider),
            Event::Leave { provider } => self.leave(now_ms, provider, effects),
            Event::Ended {
                provider,
                attempt,
                verdict,
                run_us,
            } => {
                self.end_attempt(now_ms, (provider, attempt), verdict, run_us, effects);
            }
            Event::Tick => {}
        }
        // What the event made due at once: a job that has waited long enough
        // already for those who have just left.
        self.run_due(now_ms, effects);
        self.schedule(effects);
        self.hedge(effects);
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.timers.next_ms()
    }

    fn run_due(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        while let Some(timer) = self.timers.pop_due(now_ms) {
            match timer {
                Timer::Cooldown(provider) => self.end_cooldown(now_ms, provider),
                Timer::Placement(job) => {
                    self.jobs[job].placement_ms = None;
                    self.reject_queued(job, effects);
                    self.settle_job(job, effects);
                }
                Timer::Hedging(job) => self.note_hedging(job),
                Timer::Ageing(job) => self.age(now_ms, job),
                Timer::Replica(job, index) => {
                    self.give_up_replica(now_ms, job, index, effects);
                    self.settle_job(job, effects);
                }
            }
        }
    }

    /// How the tasks of a job stand; `None` once it has ended.
    #[must_use]
    pub fn counts(&self, job: JobId) -> Option<Counts> {
        self.job_keys.get(&job).map(|key| self.jobs[*key].counts())
    }

    /// A provider, if it is connected.
    #[must_use]
    pub fn provider(&self, provider: ProviderId) -> Option<ProviderView> {
        self.pool
            .key(provider)
            .map(|key| self.view(&self.pool.providers[key]))
    }

    /// Every connected provider.
    pub fn providers(&self) -> impl Iterator<Item = ProviderView> + '_ {
        self.pool
            .providers
            .iter()
            .map(|(_, provider)| self.view(provider))
    }

    fn view(&self, provider: &Provider) -> ProviderView {
        provider.view(self.standing(provider.group.party()))
    }

    /// Every job that has not ended, the oldest name first.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, Counts)> + '_ {
        self.job_keys
            .iter()
            .map(|(id, key)| (*id, self.jobs[*key].counts()))
    }

    /// The whole in numbers.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            queued: self.queued,
            running: self.running,
            attempts: self.pool.in_flight,
            jobs: self.jobs.len(),
            providers: self.pool.providers.len(),
            slots: self.pool.slots,
        }
    }
}
