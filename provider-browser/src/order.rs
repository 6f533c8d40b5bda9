//! What the worker with the session and the workers with the guests say to
//! each other. Encoded as the messages of the wire are; what shouldn't be
//! copied (modules, blobs) travels beside it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wasipool_shared::ids::AttemptId;
use wasipool_shared::task::{Fault, Outcome, TaskSpec};

/// To a worker with a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGuest {
    /// Run a guest. The compiled module comes along, and each blob of
    /// [`TaskSpec::blobs`] in that order.
    Run(Box<Order>),
    /// Find out how fast this worker is.
    Benchmark,
    /// Limit the memory of the module that comes along to so many bytes, and
    /// compile it.
    Compile(u64),
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The fencing number: comes back with the report.
    pub attempt: AttemptId,
    /// The task's place in its job: part of a deterministic task's seed.
    pub index: u32,
    /// What to run and within which limits.
    pub spec: TaskSpec,
}

/// From a worker with a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGuest {
    /// It has started and takes orders.
    Ready,
    /// The guest of this attempt is about to run: only said where the workers
    /// share no memory in which this can be seen.
    Started(AttemptId),
    /// A run has ended.
    Report(Box<Report>),
    /// The speed that was asked for, or what is wrong with the engine.
    Speed(Result<u32, String>),
    /// The compiled module comes along; or it is too large from the start, or
    /// can't be compiled.
    Compiled(Result<Fit, String>),
}

/// Whether a module can be run within a limit of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fit {
    /// It can.
    Fits,
    /// It wants more from the start.
    TooLarge,
}

/// How a run ended, and all that came out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which run.
    pub attempt: AttemptId,
    /// How it ended, or why it couldn't be run.
    pub end: Result<Outcome, Fault>,
    /// What the guest wrote.
    pub stdout: Bytes,
    /// What the guest wrote to stderr.
    pub stderr: Bytes,
    /// Files to bring back, sorted by path.
    pub artifacts: Vec<(String, Bytes)>,
    /// From the guest's first instruction to its last, in microseconds.
    pub run_us: u64,
    /// Whether the worker is as good as new.
    pub reusable: bool,
}
