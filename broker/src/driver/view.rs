//! What the API shows of the pool and of the driver.

use serde::Serialize;
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::ids::ProviderId;

/// One connected provider.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderView {
    /// Its name for this session.
    pub id: ProviderId,
    /// What people call it.
    pub name: String,
    /// Where it runs.
    pub kind: ProviderKind,
    /// Program and version, or the browser's.
    pub agent: String,
    /// `ready`, `paused`, `draining` or `cooled-down`.
    pub state: &'static str,
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
    pub features: Vec<&'static str>,
    /// Round trip of its connection, in milliseconds, once measured.
    pub round_trip_ms: Option<f64>,
    /// Tasks that it ended.
    pub tasks_done: u64,
    /// Attempts that failed by its fault.
    pub failures: u64,
    /// When it joined (RFC 3339, UTC).
    pub connected: String,
    /// Digests of modules that it was given.
    pub modules: Vec<String>,
}

/// What the broker does as a whole.
#[derive(Debug, Clone, Serialize)]
pub struct StatsView {
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
    /// Since the start, in seconds.
    pub uptime_s: f64,
}

/// Where the tasks of a job that haven't ended are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobLoad {
    /// They wait for a provider.
    pub queued: u32,
    /// They are at one.
    pub running: u32,
}
