//! The one task that owns the core.
//!
//! Everything that changes jobs or providers is put into one order here: HTTP
//! handlers and provider sessions send commands, the [loop](mod@run) takes them
//! in batches, asks the core what follows, and carries it out: writes
//! assignments into the sessions' buffers, results into the store, and answers
//! to whoever waits.
//!
//! - [`handle`]: what others hold to talk to it.
//! - [`mod@run`]: the loop.
//! - [`live`]: what the driver keeps of jobs that haven't ended.
//! - [`new_job`]: a job as it is submitted.
//! - `record`: what is stored of how a task ended.
//! - `spec`: what the core is told of a job.
//! - [`waiting`]: how many tasks wait or run, against the limits.
//! - [`operator`]: providers are drained, sent away, banned.
//! - [`states`]: what each task of such a job does.
//! - [`watch`], [`feed`]: what has changed, for those who watch.
//! - [`view`]: what the API shows of pool and driver.

pub mod feed;
mod feeds;
pub mod handle;
mod live;
pub mod new_job;
pub mod operator;
mod record;
pub mod run;
mod spec;
pub mod states;
pub mod view;
pub mod waiting;
pub mod watch;

pub use crate::core::Requires;
pub use handle::{Handle, SubmitError};
pub use new_job::{ModuleInfo, NewJob, Tasks};
pub use operator::Whom;
pub use states::{PhasePage, TaskPhase};
pub use view::{JobLoad, OpenTask};
pub use waiting::{QueueFull, QueueLimits};
