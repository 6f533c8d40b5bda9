//! The names of states, for whoever shows them.

/// What a task can be, in the order in which it is listed: on its way first, then
/// how it ended.
pub const TASK_STATES: [&str; 12] = [
    "queued",
    "running",
    "succeeded",
    "failed",
    "trapped",
    "timed_out",
    "out_of_memory",
    "output_exceeded",
    "rejected",
    "disputed",
    "lost",
    "cancelled",
];

/// What a job can be.
pub const JOB_STATES: [&str; 5] = ["queued", "running", "succeeded", "failed", "cancelled"];

/// What a provider can be.
pub const PROVIDER_STATES: [&str; 4] = ["ready", "paused", "draining", "cooled-down"];
