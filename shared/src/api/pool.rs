//! The pool and the broker as a whole.

use serde::{Deserialize, Serialize};

use crate::capacity::ProviderKind;
use crate::ids::ProviderId;
use crate::transport::TransportKind;

/// A connected provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoolProvider {
    /// Its name for this session.
    pub id: ProviderId,
    /// What people call it.
    pub name: String,
    /// Where it runs.
    pub kind: ProviderKind,
    /// What carries its session.
    pub transport: TransportKind,
    /// Program and version, or the browser's.
    pub agent: String,
    /// `ready`, `paused`, `draining` or `cooled-down`.
    #[cfg_attr(test, ts(type = "ProviderStateName"))]
    pub state: String,
    /// Tasks that can run there at the same time.
    pub slots: u16,
    /// Slots in use.
    pub busy: u32,
    /// Assignments that wait there for a slot.
    pub queued: u32,
    /// Guest memory of all slots together, in bytes.
    pub memory: u64,
    /// How fast a slot is: 1,000 is the reference.
    pub speed: u32,
    /// Features of its engine.
    pub features: Vec<String>,
    /// Round trip of its connection, in milliseconds, once measured.
    pub round_trip_ms: Option<f64>,
    /// Tasks that it ended.
    pub tasks_done: u64,
    /// Attempts that failed by its fault.
    pub failures: u64,
    /// Why it gets nothing at present, if it failed too often.
    pub reason: Option<String>,
    /// Where results of strangers are checked, what its account or address counts
    /// for: `new`, `trusted` or `distrusted`.
    pub trust: Option<String>,
    /// When it joined (RFC 3339, UTC).
    pub connected: String,
    /// Digests of modules that it was given.
    pub modules: Vec<String>,
}

/// What the broker does as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stats {
    /// Connected providers.
    pub providers: u64,
    /// Their slots.
    pub slots: u64,
    /// Slots in use.
    pub busy: u64,
    /// Tasks that wait for a provider.
    pub queued: u64,
    /// Tasks that are at a provider.
    pub running: u64,
    /// Tasks that ended since the start.
    pub ended: u64,
    /// Late outcomes that were dropped since the start.
    pub dropped: u64,
    /// Jobs that haven't ended.
    pub jobs: u64,
    /// Whether jobs, results and blobs are in memory only and end with the
    /// broker.
    pub ephemeral: bool,
    /// Bytes of all stored blobs and results.
    pub stored_bytes: u64,
    /// Since the start, in seconds.
    pub uptime_s: f64,
}
