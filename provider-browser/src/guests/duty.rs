//! The slots, and how much of their time they may work.
//!
//! A slot that ran a task for a time `t` owes a rest of `t · (1 − share) / share`.
//! Short tasks save their rests up until they are worth a pause of
//! [`REST_MIN_US`]; a long task is never interrupted, its rest is as long as it
//! takes for the share to hold.

use wasipool_shared::ids::AttemptId;

/// Rests shorter than this are saved up, in microseconds.
const REST_MIN_US: f64 = 100_000.0;
/// A rest longer than this is worth telling the broker: meanwhile there is a
/// slot less. In microseconds.
const REST_TOLD_US: f64 = 1_000_000.0;

/// One slot; times are microseconds of one clock.
#[derive(Debug, Clone, Default)]
struct Slot {
    run: Option<AttemptId>,
    /// Time worked that no rest has paid for.
    worked_us: f64,
    /// When it may work again, and when the rest began.
    rest: Option<Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    since_us: f64,
    /// Time worked that it pays for.
    worked_us: f64,
}

/// What a slot does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Doing {
    /// Nothing: it is free.
    Idle,
    /// It runs that.
    Running(AttemptId),
    /// It rests until then.
    Resting(f64),
}

/// See the module.
#[derive(Debug)]
pub struct Duty {
    slots: Vec<Slot>,
    wanted: usize,
    /// Rest for each unit of work.
    factor: f64,
}

impl Default for Duty {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            wanted: 0,
            factor: 0.0,
        }
    }
}

impl Duty {
    /// As many slots; those that are too many go when they are free.
    pub fn resize(&mut self, slots: usize) {
        self.wanted = slots;
        if self.slots.len() < slots {
            self.slots.resize_with(slots, Slot::default);
        }
        self.shrink();
    }

    /// Each may work this share of its time, in percent. Holds for rests that
    /// have begun, too.
    pub fn share(&mut self, percent: u8) {
        let share = f64::from(percent.clamp(1, 100)) / 100.0;
        self.factor = (1.0 - share) / share;
    }

    /// Takes a free slot for a run; false if there is none.
    pub fn begin(&mut self, now_us: f64, attempt: AttemptId) -> bool {
        self.wake(now_us);
        let free = |slot: &&mut Slot| slot.run.is_none() && slot.rest.is_none();
        let Some(slot) = self.slots.iter_mut().take(self.wanted).find(free) else {
            return false;
        };
        slot.run = Some(attempt);
        true
    }

    /// A run is over after so much work.
    pub fn end(&mut self, now_us: f64, attempt: AttemptId, worked_us: f64) {
        let running = |slot: &&mut Slot| slot.run == Some(attempt);
        let Some(slot) = self.slots.iter_mut().find(running) else {
            return;
        };
        slot.run = None;
        slot.worked_us += worked_us;
        if slot.worked_us * self.factor >= REST_MIN_US {
            slot.rest = Some(Rest {
                since_us: now_us,
                worked_us: core::mem::take(&mut slot.worked_us),
            });
        } else if self.factor == 0.0 {
            slot.worked_us = 0.0;
        }
        self.shrink();
    }

    /// Slots that run something or could soon.
    #[must_use]
    pub fn offered(&self, now_us: f64) -> usize {
        let told = |slot: &&Slot| {
            let until_us = slot.rest.map_or(0.0, |rest| self.until_us(rest));
            until_us - now_us < REST_TOLD_US
        };
        self.slots.iter().take(self.wanted).filter(told).count()
    }

    /// When next a slot's rest ends, or is short enough to be no news any more.
    #[must_use]
    pub fn next_us(&self, now_us: f64) -> f64 {
        let rests = self.slots.iter().filter_map(|slot| slot.rest);
        let next = rests.flat_map(|rest| {
            let until_us = self.until_us(rest);
            [until_us - REST_TOLD_US, until_us]
        });
        next.filter(|at_us| *at_us > now_us)
            .fold(f64::INFINITY, f64::min)
    }

    /// What each slot does.
    pub fn doing(&self, now_us: f64) -> impl Iterator<Item = Doing> {
        self.slots
            .iter()
            .map(move |slot| match (slot.run, slot.rest) {
                (Some(attempt), _) => Doing::Running(attempt),
                (None, Some(rest)) if self.until_us(rest) > now_us => {
                    Doing::Resting(self.until_us(rest))
                }
                (None, _) => Doing::Idle,
            })
    }

    /// Forgets all rests.
    pub fn forget(&mut self) {
        for slot in &mut self.slots {
            slot.worked_us = 0.0;
            slot.rest = None;
        }
    }

    fn until_us(&self, rest: Rest) -> f64 {
        rest.since_us + rest.worked_us * self.factor
    }

    fn wake(&mut self, now_us: f64) {
        for index in 0..self.slots.len() {
            if self.slots[index]
                .rest
                .is_some_and(|rest| self.until_us(rest) <= now_us)
            {
                self.slots[index].rest = None;
            }
        }
    }

    /// Slots that are too many go, the last ones first, but none that runs.
    fn shrink(&mut self) {
        while self.slots.len() > self.wanted
            && self.slots.last().is_some_and(|slot| slot.run.is_none())
        {
            self.slots.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: f64 = 1_000_000.0;

    fn duty(slots: usize, share: u8) -> Duty {
        let mut duty = Duty::default();
        duty.resize(slots);
        duty.share(share);
        duty
    }

    /// Runs tasks of that length one after another, as soon as the slot lets
    /// them, and gives the share of the time that was worked.
    fn worked(share: u8, task_us: f64, tasks: u64) -> f64 {
        let mut duty = duty(1, share);
        let mut now_us = 0.0;
        for number in 0..tasks {
            while !duty.begin(now_us, AttemptId(number)) {
                let next_us = duty.next_us(now_us);
                assert!(next_us > now_us, "an alarm that is set is in the future");
                now_us = next_us;
            }
            now_us += task_us;
            duty.end(now_us, AttemptId(number), task_us);
        }
        while duty.doing(now_us).any(|doing| doing != Doing::Idle) {
            now_us = duty.next_us(now_us);
        }
        tasks as f64 * task_us / now_us
    }

    #[test]
    fn the_share_holds_for_short_and_for_long_tasks() {
        for task_us in [200.0, 7_000.0, 80_000.0, 3.0 * S, 3_600.0 * S] {
            for share in [10, 25, 50, 75, 100] {
                let worked = worked(share, task_us, 2_000);
                let off = (worked - f64::from(share) / 100.0).abs();
                let saved_up = REST_MIN_US / (2_000.0 * task_us);
                assert!(off < 0.001 + saved_up, "{task_us} {share} {worked}");
            }
        }
    }

    #[test]
    fn only_long_rests_are_told_and_only_until_they_are_short() {
        let mut duty = duty(2, 50);
        assert!(duty.begin(0.0, AttemptId(1)));
        assert!(duty.begin(0.0, AttemptId(2)));
        duty.end(0.5 * S, AttemptId(1), 0.5 * S);
        assert_eq!(duty.offered(0.5 * S), 2, "half a second is not worth it");
        assert!(!duty.begin(0.9 * S, AttemptId(3)));
        duty.end(10.0 * S, AttemptId(2), 10.0 * S);
        assert_eq!(duty.offered(10.0 * S), 1);
        assert_eq!(duty.doing(10.0 * S).nth(1), Some(Doing::Resting(20.0 * S)));
        assert_eq!(duty.next_us(10.0 * S), 19.0 * S, "the first is over");
        assert!(duty.begin(10.0 * S, AttemptId(4)));
        assert!(!duty.begin(10.0 * S, AttemptId(5)));
        assert_eq!(duty.offered(19.1 * S), 2);
        assert!(duty.begin(20.0 * S, AttemptId(5)));
    }

    #[test]
    fn a_larger_share_ends_a_rest_earlier() {
        let mut duty = duty(1, 25);
        duty.begin(0.0, AttemptId(1));
        duty.end(10.0 * S, AttemptId(1), 10.0 * S);
        assert_eq!(duty.doing(10.0 * S).next(), Some(Doing::Resting(40.0 * S)));
        duty.share(50);
        assert_eq!(duty.doing(10.0 * S).next(), Some(Doing::Resting(20.0 * S)));
        duty.share(100);
        assert_eq!(duty.doing(10.0 * S).next(), Some(Doing::Idle));
        assert!(duty.begin(10.0 * S, AttemptId(2)));
    }

    #[test]
    fn fewer_slots_let_what_runs_go_on() {
        let mut duty = duty(2, 100);
        duty.begin(0.0, AttemptId(1));
        duty.begin(0.0, AttemptId(2));
        duty.resize(1);
        assert_eq!(duty.doing(0.0).count(), 2);
        duty.end(1.0, AttemptId(1), 1.0);
        assert!(duty.begin(1.0, AttemptId(3)), "the slot that stays is free");
        duty.end(2.0, AttemptId(2), 2.0);
        let doing: Vec<_> = duty.doing(2.0).collect();
        assert_eq!(doing, [Doing::Running(AttemptId(3))]);
    }
}
