//! Shares between owners, and within each between its jobs.
//!
//! Owners with waiting jobs share the pool equally, however many jobs each has
//! and whatever priorities it gives them: a priority is a wish among an owner's
//! own jobs. The owner whose turn it is gives its turn to the job of it whose
//! turn it is.

use std::collections::BTreeMap;

use super::fair::{VirtualTime, WEIGHT_NORMAL};
use super::slab::Slab;

/// Owners without jobs that are remembered, so that nobody gets a new share by
/// coming back.
const IDLE_MAX: u32 = 1_024;

/// An owner's place in the order: tag, key.
pub(super) type OwnerTurn = (u64, u32);

#[derive(Debug)]
struct Owner {
    /// Its tag among the owners.
    tag: u64,
    /// Of its jobs.
    time: VirtualTime,
    /// Its jobs that have queued tasks.
    waiting: u32,
    /// All its jobs.
    jobs: u32,
}

/// All owners.
#[derive(Debug, Default)]
pub(super) struct Owners {
    owners: Slab<Owner>,
    by_id: BTreeMap<u64, u32>,
    time: VirtualTime,
    idle: u32,
}

impl Owners {
    /// The key of an owner, for one more job.
    pub(super) fn acquire(&mut self, id: u64) -> u32 {
        if let Some(key) = self.by_id.get(&id).copied() {
            let owner = &mut self.owners[key];
            self.idle -= u32::from(owner.jobs == 0);
            owner.jobs += 1;
            return key;
        }
        if self.idle >= IDLE_MAX {
            self.forget_idle();
        }
        let key = self.owners.insert(Owner {
            tag: 0,
            time: VirtualTime::default(),
            waiting: 0,
            jobs: 1,
        });
        self.by_id.insert(id, key);
        key
    }

    /// A job of the owner ended.
    pub(super) fn release(&mut self, key: u32) {
        let owner = &mut self.owners[key];
        owner.jobs -= 1;
        self.idle += u32::from(owner.jobs == 0);
    }

    /// Those that had no more than their share go first; if that is not enough,
    /// all do.
    fn forget_idle(&mut self) {
        let now = self.time.now();
        for all in [false, true] {
            let owners = &mut self.owners;
            let idle = &mut self.idle;
            self.by_id.retain(|_, key| {
                let owner = &owners[*key];
                let forgotten = owner.jobs == 0 && (all || owner.tag <= now);
                if forgotten {
                    owners.remove(*key);
                    *idle -= 1;
                }
                !forgotten
            });
            if self.idle < IDLE_MAX {
                return;
            }
        }
    }

    pub(super) fn turn(&self, key: u32) -> OwnerTurn {
        (self.owners[key].tag, key)
    }

    /// A job has queued tasks from now on; returns its new tag.
    pub(super) fn enter(&mut self, key: u32, tag: u64, weight: u64) -> u64 {
        let owner = &mut self.owners[key];
        if owner.waiting == 0 {
            owner.tag = self.time.enter(owner.tag, WEIGHT_NORMAL);
        }
        owner.waiting += 1;
        owner.time.enter(tag, weight)
    }

    /// A job has no queued tasks any more.
    pub(super) fn exit(&mut self, key: u32, weight: u64) {
        let owner = &mut self.owners[key];
        owner.time.exit(weight);
        owner.waiting -= 1;
        if owner.waiting == 0 {
            self.time.exit(WEIGHT_NORMAL);
        }
    }

    /// A job starts a task; returns its new tag.
    pub(super) fn serve(&mut self, key: u32, tag: u64, cost_us: f64, weight: u64) -> u64 {
        let owner = &mut self.owners[key];
        owner.tag = self.time.serve(owner.tag, cost_us, WEIGHT_NORMAL);
        owner.time.serve(tag, cost_us, weight)
    }

    /// A job was charged a guess that was off by so much; returns its new tag.
    pub(super) fn correct(&mut self, key: u32, tag: u64, cost_us: f64, weight: u64) -> u64 {
        let owner = &mut self.owners[key];
        owner.tag = self.time.correct(owner.tag, cost_us, WEIGHT_NORMAL);
        owner.time.correct(tag, cost_us, weight)
    }

    /// The tag of a job that has waited for so many periods of ageing.
    pub(super) fn age(&mut self, key: u32, tag: u64, periods: u32) -> u64 {
        self.owners[key].time.age(tag, periods)
    }

    /// The tag to charge a job by that went first because it had waited.
    pub(super) fn rejoin(&self, key: u32, tag: u64) -> u64 {
        tag.max(self.owners[key].time.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_owners_are_forgotten_but_not_those_with_jobs() {
        let mut owners = Owners::default();
        let busy = owners.acquire(7);
        for id in 100..100 + 3 * u64::from(IDLE_MAX) {
            let key = owners.acquire(id);
            owners.release(key);
        }
        assert!(owners.by_id.len() <= IDLE_MAX as usize + 1);
        assert_eq!(owners.by_id.get(&7), Some(&busy));
        owners.release(busy);
        assert_eq!(owners.acquire(7), busy);
    }

    #[test]
    fn who_had_more_than_a_share_is_charged_for_it_on_coming_back() {
        let mut owners = Owners::default();
        let (greedy, other) = (owners.acquire(1), owners.acquire(2));
        owners.enter(greedy, 0, 16);
        owners.enter(other, 0, 16);
        owners.serve(greedy, 0, 1e6, 16);
        let before = owners.turn(greedy);
        owners.exit(greedy, 16);
        owners.release(greedy);
        let greedy = owners.acquire(1);
        owners.enter(greedy, 0, 16);
        assert_eq!(owners.turn(greedy), before);
        assert!(owners.turn(other) < owners.turn(greedy));
    }
}
