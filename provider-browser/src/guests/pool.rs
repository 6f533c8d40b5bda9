//! Which worker runs what, as a state machine without workers.

use std::collections::{HashMap, VecDeque};

use wasipool_shared::ids::AttemptId;

/// A worker; a new one gets a new number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u32);

/// What has to be done with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start it; [`Pool::ready`] follows.
    Spawn(WorkerId),
    /// End it, whatever it does.
    Terminate(WorkerId),
    /// Let it run this.
    Run(WorkerId, AttemptId),
}

/// A worker more than there are slots: it takes over from one that had to be
/// terminated, while the next one starts.
const SPARE: usize = 1;
/// Workers that fail before they are ready, one after another, until no more
/// are started.
const FAILURES_MAX: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Idle,
    Busy(AttemptId),
}

/// The workers and what waits for one.
#[derive(Debug, Default)]
pub struct Pool {
    slots: usize,
    workers: HashMap<WorkerId, State>,
    /// Those that idle: the one used last is used next, its code is warm.
    idle: Vec<WorkerId>,
    waiting: VecDeque<AttemptId>,
    next: u32,
    failures: u32,
}

impl Pool {
    /// Keeps as many workers as that many slots need.
    pub fn resize(&mut self, slots: usize, actions: &mut Vec<Action>) {
        self.slots = slots;
        self.failures = 0;
        self.keep_up(actions);
    }

    /// A worker takes orders now.
    pub fn ready(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        if let Some(state) = self.workers.get_mut(&worker)
            && *state == State::Starting
        {
            *state = State::Idle;
            self.idle.push(worker);
            self.failures = 0;
            self.keep_up(actions);
        }
    }

    /// Runs this as soon as there is a worker.
    pub fn submit(&mut self, attempt: AttemptId, actions: &mut Vec<Action>) {
        self.waiting.push_back(attempt);
        self.keep_up(actions);
    }

    /// A worker has reported the end of its run.
    pub fn ended(&mut self, worker: WorkerId, reusable: bool, actions: &mut Vec<Action>) {
        if !matches!(self.workers.get(&worker), Some(State::Busy(_))) {
            return;
        }
        if reusable {
            self.workers.insert(worker, State::Idle);
            self.idle.push(worker);
        } else {
            self.end(worker, actions);
        }
        self.keep_up(actions);
    }

    /// Stops a run, or forgets it if it hasn't begun.
    pub fn stop(&mut self, attempt: AttemptId, actions: &mut Vec<Action>) {
        self.waiting.retain(|waiting| *waiting != attempt);
        let running = self
            .workers
            .iter()
            .find(|(_, state)| **state == State::Busy(attempt));
        if let Some(worker) = running.map(|(worker, _)| *worker) {
            self.end(worker, actions);
        }
        self.keep_up(actions);
    }

    /// A worker has failed: gives what it was running.
    pub fn failed(&mut self, worker: WorkerId, actions: &mut Vec<Action>) -> Option<AttemptId> {
        let state = self.workers.get(&worker).copied()?;
        self.end(worker, actions);
        self.failures += u32::from(state == State::Starting);
        self.keep_up(actions);
        match state {
            State::Busy(attempt) => Some(attempt),
            State::Starting | State::Idle => None,
        }
    }

    /// Whether workers can't be started: what waits will never run.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.failures >= FAILURES_MAX && self.workers.is_empty()
    }

    fn end(&mut self, worker: WorkerId, actions: &mut Vec<Action>) {
        self.workers.remove(&worker);
        self.idle.retain(|idle| *idle != worker);
        actions.push(Action::Terminate(worker));
    }

    /// Gives work to idle workers; starts and ends workers as needed.
    fn keep_up(&mut self, actions: &mut Vec<Action>) {
        while !self.waiting.is_empty()
            && let Some(worker) = self.idle.pop()
            && let Some(attempt) = self.waiting.pop_front()
        {
            self.workers.insert(worker, State::Busy(attempt));
            actions.push(Action::Run(worker, attempt));
        }
        let wanted = if self.slots == 0 {
            0
        } else {
            self.slots + SPARE
        };
        while self.workers.len() < wanted && self.failures < FAILURES_MAX {
            let worker = WorkerId(self.next);
            self.next += 1;
            self.workers.insert(worker, State::Starting);
            actions.push(Action::Spawn(worker));
        }
        while self.workers.len() > wanted && !self.idle.is_empty() {
            let coldest = self.idle.remove(0);
            self.end(coldest, actions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AttemptId = AttemptId(1);
    const B: AttemptId = AttemptId(2);

    fn actions(act: impl FnOnce(&mut Vec<Action>)) -> Vec<Action> {
        let mut actions = Vec::new();
        act(&mut actions);
        actions
    }

    /// A pool of one slot whose two workers idle.
    fn warm() -> Pool {
        let mut pool = Pool::default();
        let spawned = actions(|out| pool.resize(1, out));
        assert_eq!(
            spawned,
            [Action::Spawn(WorkerId(0)), Action::Spawn(WorkerId(1))]
        );
        assert!(actions(|out| pool.ready(WorkerId(1), out)).is_empty());
        assert!(actions(|out| pool.ready(WorkerId(0), out)).is_empty());
        pool
    }

    #[test]
    fn the_worker_that_was_used_last_is_used_next() {
        let mut pool = warm();
        assert_eq!(
            actions(|out| pool.submit(A, out)),
            [Action::Run(WorkerId(0), A)]
        );
        assert!(actions(|out| pool.ended(WorkerId(0), true, out)).is_empty());
        assert_eq!(
            actions(|out| pool.submit(B, out)),
            [Action::Run(WorkerId(0), B)]
        );
    }

    #[test]
    fn the_spare_takes_over_while_the_next_one_starts() {
        let mut pool = warm();
        actions(|out| pool.submit(A, out));
        let stopped = actions(|out| pool.stop(A, out));
        assert_eq!(
            stopped,
            [Action::Terminate(WorkerId(0)), Action::Spawn(WorkerId(2))]
        );
        assert_eq!(
            actions(|out| pool.submit(B, out)),
            [Action::Run(WorkerId(1), B)]
        );
        let ended = actions(|out| pool.ended(WorkerId(0), true, out));
        assert!(
            ended.is_empty(),
            "a report that was under way changes nothing"
        );
    }

    #[test]
    fn what_comes_before_a_worker_is_ready_waits() {
        let mut pool = Pool::default();
        actions(|out| pool.resize(1, out));
        assert!(actions(|out| pool.submit(A, out)).is_empty());
        assert!(actions(|out| pool.submit(B, out)).is_empty());
        assert!(actions(|out| pool.stop(A, out)).is_empty());
        let ready = actions(|out| pool.ready(WorkerId(0), out));
        assert_eq!(ready, [Action::Run(WorkerId(0), B)]);
    }

    #[test]
    fn a_worker_that_fails_is_replaced_and_says_what_it_ran() {
        let mut pool = warm();
        actions(|out| pool.submit(A, out));
        let mut out = Vec::new();
        assert_eq!(pool.failed(WorkerId(0), &mut out), Some(A));
        assert_eq!(
            out,
            [Action::Terminate(WorkerId(0)), Action::Spawn(WorkerId(2))]
        );
        assert_eq!(pool.failed(WorkerId(0), &mut out), None, "only once");
    }

    #[test]
    fn workers_that_never_start_are_given_up() {
        let mut pool = Pool::default();
        let mut out = Vec::new();
        pool.resize(1, &mut out);
        for worker in 0..10 {
            pool.failed(WorkerId(worker), &mut out);
        }
        assert!(pool.is_broken());
        assert!(out.len() < 20, "{out:?}");
        pool.resize(1, &mut out);
        assert!(!pool.is_broken(), "a new start is a new chance");
    }

    #[test]
    fn fewer_slots_need_fewer_workers() {
        let mut pool = warm();
        let gone = actions(|out| pool.resize(0, out));
        assert_eq!(
            gone,
            [
                Action::Terminate(WorkerId(1)),
                Action::Terminate(WorkerId(0))
            ]
        );
    }
}
