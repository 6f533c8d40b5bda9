//! The threads that run guests: one for each slot.

mod queue;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wasipool_shared::ids::AttemptId;
use wasipool_shared::session::outcome::RunResult;

use crate::engine::modules::Modules;
use crate::engine::{Engine, THREAD_STACK_BYTES, Ticker, explain};
use crate::sandbox::{FilesBudget, Job, NoResult, Runner, Stop};
use queue::Queue;

/// Names a run among those of all sessions: attempts are numbered anew by a
/// broker that has restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RunId {
    /// Which of this provider's sessions.
    pub session: u64,
    /// Which attempt.
    pub attempt: AttemptId,
}

/// A run that is over.
#[derive(Debug)]
pub struct Done {
    /// Which.
    pub run: RunId,
    /// What came of it.
    pub result: Result<RunResult, NoResult>,
}

struct Work {
    run: RunId,
    job: Job,
    stop: Arc<Stop>,
}

/// The workers, and what they are doing.
#[derive(Debug)]
pub struct Executor {
    queue: Arc<Queue<Work>>,
    done: UnboundedReceiver<Done>,
    /// How to stop what waits or runs.
    stops: HashMap<RunId, Arc<Stop>>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Work").field(&self.run).finish()
    }
}

impl Executor {
    /// Starts `slots` workers, with `first` and further engines like it.
    ///
    /// # Errors
    /// If there are no threads or engines to be had.
    pub fn start(
        slots: usize,
        first: Engine,
        ticker: &Arc<Ticker>,
        modules: &Arc<Modules>,
        files: &Arc<FilesBudget>,
    ) -> anyhow::Result<Self> {
        let queue = Arc::new(Queue::new());
        let (sender, done) = unbounded_channel();
        let mut executor = Self {
            queue,
            done,
            stops: HashMap::new(),
            workers: Vec::with_capacity(slots),
        };
        let mut first = Some(first);
        for index in 0..slots {
            let engine = match first.take() {
                Some(engine) => engine,
                None => Engine::new(ticker, slots)
                    .map_err(explain)
                    .context("no engine for another slot: try fewer --slots")?,
            };
            let runner =
                Runner::new(engine, Arc::clone(modules), Arc::clone(files)).map_err(explain)?;
            let queue = Arc::clone(&executor.queue);
            let sender = sender.clone();
            let worker = thread::Builder::new()
                .name(format!("guest-{index}"))
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || work(runner, &queue, &sender))
                .context("no thread for another slot: try fewer --slots")?;
            executor.workers.push(worker);
        }
        Ok(executor)
    }

    /// Runs a job as soon as a worker is free; those that sleep are woken by
    /// [`wake`](Self::wake).
    pub fn submit(&mut self, run: RunId, job: Job) {
        let stop = Arc::new(Stop::default());
        self.stops.insert(run, Arc::clone(&stop));
        self.queue.push(Work { run, job, stop });
    }

    /// Wakes workers for all that was submitted.
    pub fn wake(&self) {
        self.queue.wake();
    }

    /// Stops a run; its end is still reported.
    pub fn stop(&self, run: RunId) {
        if let Some(stop) = self.stops.get(&run) {
            stop.stop();
        }
    }

    /// Stops all runs.
    pub fn stop_all(&self) {
        self.stops.values().for_each(|stop| stop.stop());
    }

    /// Whether anything waits or runs.
    #[must_use]
    pub fn busy(&self) -> bool {
        !self.stops.is_empty()
    }

    /// The next run that is over.
    pub async fn next(&mut self) -> Option<Done> {
        let done = self.done.recv().await?;
        self.stops.remove(&done.run);
        Some(done)
    }

    /// The next run that is over, if there is one already.
    pub fn try_next(&mut self) -> Option<Done> {
        let done = self.done.try_recv().ok()?;
        self.stops.remove(&done.run);
        Some(done)
    }
}

impl Drop for Executor {
    /// Stops everything and waits for the workers: unless one of them compiles,
    /// which can't be stopped.
    fn drop(&mut self) {
        self.stop_all();
        self.queue.close();
        while self.try_next().is_some() {}
        if self.busy() {
            return;
        }
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker has ended in panic");
            }
        }
    }
}

fn work(mut runner: Runner, queue: &Queue<Work>, done: &UnboundedSender<Done>) {
    while let Some(Work { run, job, stop }) = queue.pop() {
        let result = runner.run(&job, &stop);
        // Its blobs are free before anybody hears of its end.
        drop(job);
        if done.send(Done { run, result }).is_err() {
            return;
        }
    }
}
