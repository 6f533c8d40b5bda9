//! The queue that feeds the workers: wakes one only if one sleeps.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

/// What waits for a worker.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    sleeping: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            sleeping: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
        }
    }

    /// Adds an item; who sleeps is woken by [`wake`](Self::wake).
    pub(super) fn push(&self, item: T) {
        self.state.lock().waiting.push_back(item);
    }

    /// Wakes as many as there is work for. Once for many items: each time costs
    /// as much as a short guest runs, on both sides.
    pub(super) fn wake(&self) {
        let state = self.state.lock();
        // Who is awake looks at the queue before it sleeps.
        let wanted = state.sleeping.min(state.waiting.len());
        drop(state);
        for _ in 0..wanted {
            self.filled.notify_one();
        }
    }

    /// The next item; nothing once the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(item) = state.waiting.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.sleeping += 1;
            self.filled.wait(&mut state);
            state.sleeping -= 1;
        }
    }

    /// Lets the workers end when nothing is left; what waits is dropped.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.filled.notify_all();
    }
}
