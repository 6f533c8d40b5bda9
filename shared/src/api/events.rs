//! Data of the server-sent events of `/v1/events` and `/v1/jobs/{id}/events`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Job, PoolProvider, Stats};
use crate::ids::{JobId, ProviderId};

/// `event: stats`: at most once a second, when something has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatsEvent {
    /// What `/v1/stats` says.
    #[serde(flatten)]
    pub stats: Stats,
    /// Tasks that ended in a second, of late.
    pub tasks_per_second: f64,
}

/// `event: providers`: at most every 500 ms, when something has changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvidersEvent {
    /// `changed` is the whole pool: whatever was known before is forgotten.
    pub all: bool,
    /// New ones and those that changed, as they are now.
    pub changed: Vec<PoolProvider>,
    /// Those that are gone.
    pub left: Vec<ProviderId>,
    /// How many are connected beyond those that are shown.
    pub more: u64,
}

/// `event: jobs`: at most every 500 ms, when something has changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobsEvent {
    /// `changed` holds the newest jobs: whatever was known before is forgotten.
    pub all: bool,
    /// New ones and those that changed, as they are now.
    pub changed: Vec<Job>,
    /// Those that the broker no longer keeps.
    pub removed: Vec<JobId>,
}

/// `event: tasks` of a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TasksEvent {
    /// The first of the events that tell the states of all tasks: whatever was
    /// known before is forgotten.
    pub all: bool,
    /// Tasks in a row that are in the same state.
    pub runs: Vec<TaskRun>,
}

/// `[from_index, count, "state"]`: that many tasks from that index on are in that
/// state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TaskRun(pub u32, pub u32, pub Cow<'static, str>);
