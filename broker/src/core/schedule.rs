//! Brings queued tasks and providers with room together.
//!
//! Runs after each event. What it costs depends on what it starts, not on how
//! many jobs wait or providers are connected: it ends as soon as nobody has
//! room, and a class of jobs for which nobody has is passed over as a whole.

use super::Core;
use super::attempt::Attempt;
use super::class::{Class, Needs};
use super::event::Effect;
use super::fair::AGES_MAX;
use super::group::Group;
use super::job::Job;
use super::placement::Room;
use super::pool::Provider;
use super::queue::Waiting;
use super::quorum::{Pick, Replica, Replicated};
use super::timer::Timer;

use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::ids::AttemptId;

/// Jobs tried in vain before no more tasks are sent ahead in this pass.
const AHEAD_JOBS_MAX: u32 = 8;

impl Core {
    pub(super) fn schedule(&mut self, effects: &mut Vec<Effect>) {
        // Free slots first, wherever they are; only then send tasks ahead.
        for room in [Room::Slot, Room::Ahead] {
            self.passes += 1;
            let mut in_vain = 0;
            while !self.pool.shelves.is_empty(room) {
                let Some(job) = self.classes.next(self.passes, &self.jobs) else {
                    break;
                };
                if !self.start_one(job, room, effects) {
                    in_vain += 1;
                    if room == Room::Ahead && in_vain == AHEAD_JOBS_MAX {
                        break;
                    }
                }
            }
        }
    }

    /// Starts one task of a job; if it can't, notes for whom this pass need not
    /// try again.
    fn start_one(&mut self, key: u32, room: Room, effects: &mut Vec<Effect>) -> bool {
        let job = &self.jobs[key];
        let class = self.classes.get(job.class);
        let found = if job.replicas.is_some() {
            self.find_for_replica(job, class, room)
        } else {
            let heed = class.has_other();
            let found = self.pool.find(room, &class.needs, job.module, |provider| {
                job.queue.has_for(provider.id, heed) && self.is_worth(room, provider, job)
            });
            found.map(|provider| (provider, heed))
        };
        let Some((provider, heed)) = found else {
            // In a free slot, a task without wishes is like all others of its
            // class: if nobody takes it, nobody takes those.
            let without_wishes = match &job.replicas {
                Some(replicas) => may_begin(job, class) && replicas.may_begin(),
                None => job.queue.has_unconstrained(),
            };
            let job = &mut self.jobs[key];
            if room == Room::Slot && without_wishes {
                self.classes.get_mut(job.class).full_in_pass = self.passes;
            } else {
                job.stuck_in_pass = self.passes;
            }
            return false;
        };
        if self.jobs[key].replicas.is_some() {
            self.start_replica(key, provider, effects);
        } else {
            let id = self.pool.providers[provider].id;
            let job = &mut self.jobs[key];
            let waiting = job.queue.take(id, heed).expect("the search looked for one");
            job.running += 1;
            self.queued -= 1;
            self.running += 1;
            self.assign(key, provider, waiting, effects);
        }
        true
    }

    /// Whether a task of the job may be sent ahead: it must not run for longer
    /// than the slots there are busy anyway.
    fn is_worth(&self, room: Room, provider: &Provider, job: &Job) -> bool {
        let round_trip_us = u64::from(provider.round_trip_us.unwrap_or(0));
        room == Room::Slot
            || u64::from(job.expected_us(provider.speed, &self.config))
                < self.config.prefetch_us + round_trip_us
    }

    fn find_for_replica(&self, job: &Job, class: &Class, room: Room) -> Option<(u32, bool)> {
        let replicas = job.replicas.as_ref().expect("its tasks are replicated");
        // Mixed kinds tell more: what one engine gets wrong, another may not.
        let other = replicas.one_kind().map(|kind| match kind {
            ProviderKind::Native => ProviderKind::Browser,
            ProviderKind::Browser => ProviderKind::Native,
        });
        let mixed = other.filter(|_| class.needs.kind.is_none());
        let kinds = mixed.map(Some).into_iter().chain([class.needs.kind]);
        let mut found = kinds.filter_map(|kind| {
            let needs = class.needs.of_kind(kind);
            self.find_of_kind(job, class, &needs, room)
        });
        found.next().map(|provider| (provider, true))
    }

    fn find_of_kind(&self, job: &Job, class: &Class, needs: &Needs, room: Room) -> Option<u32> {
        // Groups with many providers are refused once, not once a provider.
        let mut refused: Vec<Group> = Vec::new();
        self.pool.find(room, needs, job.module, |provider| {
            if refused.contains(&provider.group) || !self.is_worth(room, provider, job) {
                return false;
            }
            match pick(job, class, provider) {
                Pick::Task(_) | Pick::Fresh => true,
                Pick::Nothing => false,
                Pick::NothingForGroup => {
                    refused.push(provider.group);
                    false
                }
            }
        })
    }

    fn start_replica(&mut self, key: u32, provider_key: u32, effects: &mut Vec<Effect>) {
        if self.spot_check(provider_key, effects) {
            return;
        }
        let provider = &self.pool.providers[provider_key];
        let job = &self.jobs[key];
        let chosen = pick(job, self.classes.get(job.class), provider);
        let replica = Replica {
            key: provider_key,
            provider: provider.id,
            group: provider.group,
            kind: provider.kind,
            attempt: self.attempts,
        };
        let believed = self.believes(provider.group.party());
        let job = &mut self.jobs[key];
        let index = match chosen {
            Pick::Task(index) => index,
            _ => {
                job.queue
                    .take_fresh()
                    .expect("the search looked for one")
                    .index
            }
        };
        let replicas = job.replicas.as_mut().expect("the job has a quorum");
        let task = replicas.task(index);
        let was_idle = task.live.is_empty();
        task.live.push(replica);
        if !believed {
            task.quorum = task.quorum.max(2);
        }
        replicas.tally(index);
        if was_idle {
            job.running += 1;
            self.queued -= 1;
            self.running += 1;
        }
        self.arm_replica(0, key, index);
        self.assign(key, provider_key, Waiting { index, trail: None }, effects);
    }

    pub(super) fn assign(
        &mut self,
        key: u32,
        provider: u32,
        waiting: Waiting,
        effects: &mut Vec<Effect>,
    ) {
        let id = self.attempts;
        self.attempts += 1;
        let job = &mut self.jobs[key];
        job.last_provider = provider;
        let entry = &self.pool.providers[provider];
        let speed = entry.speed;
        let attempt = Attempt {
            id,
            job: key,
            index: waiting.index,
            expected_us: job.expected_us(speed, &self.config),
            wait_us: entry.wait_us(),
            sent_ms: self.now_ms,
            trail: waiting.trail,
        };
        effects.push(Effect::Assign {
            provider: self.pool.providers[provider].id,
            attempt: AttemptId(id),
            task: job.task(waiting.index),
        });
        let (memory_bytes, module, cost_us) =
            (job.memory_bytes, job.module, job.cost_us(&self.config));
        let before = self.owners.turn(job.owner);
        let tag = if job.ages >= AGES_MAX {
            self.owners.rejoin(job.owner, job.tag)
        } else {
            job.tag
        };
        let tag = self.owners.serve(job.owner, tag, cost_us, job.weight);
        self.classes
            .owner_moved(before, self.owners.turn(job.owner));
        job.started_ms = self.now_ms;
        job.ages = 0;
        self.pool.start(provider, attempt, memory_bytes, module);
        self.refresh(key);
        self.retag(key, tag);
    }

    /// Gives a job another tag, and with it another turn.
    pub(super) fn retag(&mut self, key: u32, tag: u64) {
        let job = &mut self.jobs[key];
        let old = job.turn(key);
        job.tag = tag;
        if job.waiting {
            let (class, new) = (job.class, job.turn(key));
            self.classes.requeue(class, job.owner, old, new);
        }
    }

    /// Starts or ends the period after which a waiting job is one older. One
    /// that runs is left alone while tasks start, which is cheaper: `age` looks.
    pub(super) fn arm_ageing(&mut self, key: u32) {
        let job = &mut self.jobs[key];
        let running_ms = job.ageing_ms;
        let wanted_ms = (job.waiting && job.ages < AGES_MAX)
            .then(|| running_ms.unwrap_or_else(|| job.older_ms(&self.config)))
            .filter(|at_ms| *at_ms < u64::MAX);
        self.timers
            .replace(Timer::Ageing(key), job.ageing_ms, wanted_ms);
        job.ageing_ms = wanted_ms;
    }

    /// A period came to its end: if the job started nothing in it, it is older.
    pub(super) fn age(&mut self, now_ms: u64, key: u32) {
        let job = &mut self.jobs[key];
        job.ageing_ms = None;
        if job.older_ms(&self.config) <= now_ms {
            job.ages += 1;
            let tag = self.owners.age(job.owner, job.tag, job.ages);
            self.retag(key, tag);
        }
        self.arm_ageing(key);
    }
}

/// Whether a task of a job with a quorum may be begun: without enough groups it
/// would hold its first result for nothing.
fn may_begin(job: &Job, class: &Class) -> bool {
    job.queue.has_fresh() && class.is_able()
}

/// What a job with a quorum would start at a provider.
fn pick(job: &Job, class: &Class, provider: &Provider) -> Pick {
    let replicas = job.replicas.as_ref().expect("the job has a quorum");
    let fresh = may_begin(job, class);
    let heed = |task: &Replicated| class.has_other_group(provider.group, |group| task.uses(group));
    replicas.pick(provider, fresh, heed)
}
