//! The JSON of the HTTP API as its documentation describes it: a field that is
//! always there is no `Option` here, so that its absence is noticed.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A stored blob.
#[derive(Debug, Clone, Deserialize)]
pub struct Blob {
    /// Its name; none if it was stored without.
    pub name: Option<String>,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// `module`, `archive` or `data`.
    pub kind: String,
    /// What is known of a module.
    pub module: Option<serde_json::Value>,
    /// When it was stored.
    pub created: String,
}

/// A job.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// How many tasks it has.
    pub tasks: u32,
    /// How many of them are in each state.
    pub counts: BTreeMap<String, u32>,
    /// 0 to 1.
    pub progress: f64,
    /// When it came.
    pub created: String,
    /// Results, if they were waited for.
    pub results: Option<Vec<TaskResult>>,
}

impl Job {
    /// How many tasks are in a state.
    #[must_use]
    pub fn count(&self, state: &str) -> u32 {
        self.counts.get(state).copied().unwrap_or_default()
    }

    /// Whether nothing of it is to be done any more.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "cancelled")
    }
}

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins.
    pub next: Option<String>,
}

/// The result of a task.
#[derive(Debug, Clone, Deserialize)]
pub struct TaskResult {
    /// `<job>.<index>`.
    pub task: String,
    /// Its place in the job.
    pub index: u32,
    /// How it ended.
    pub state: String,
    /// The guest's exit code, if it exited.
    pub exit_code: Option<u32>,
    /// What else there is to say about the end.
    pub reason: Option<String>,
    /// Output that is text.
    pub stdout: Option<String>,
    /// Output that is not text.
    pub stdout_base64: Option<String>,
    /// Output that is large.
    pub stdout_url: Option<String>,
    /// As `stdout`.
    pub stderr: Option<String>,
    /// As `stdout_base64`.
    pub stderr_base64: Option<String>,
    /// As `stdout_url`.
    pub stderr_url: Option<String>,
    /// Files that came back.
    pub artifacts: Vec<Artifact>,
    /// Where it ran; none if it never did.
    pub provider: Option<ProviderName>,
    /// How often it was tried.
    pub attempts: u32,
    /// Where its time went.
    pub timing: Timing,
}

/// A file that a guest left.
#[derive(Debug, Clone, Deserialize)]
pub struct Artifact {
    /// Path below `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// `sha256:…`.
    pub digest: String,
    /// Where its bytes are.
    pub url: String,
}

/// The provider of a result.
#[derive(Debug, Clone, Deserialize)]
pub struct ProviderName {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `native` or `browser`.
    pub kind: String,
}

/// Where a task's time went.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Timing {
    /// From its arrival until it was sent.
    pub queued_ms: f64,
    /// The guest's own time.
    pub run_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

/// A connected provider.
#[derive(Debug, Clone, Deserialize)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `native` or `browser`.
    pub kind: String,
    /// `webtransport` or `websocket`.
    pub transport: String,
    /// Tasks that it can run at a time.
    pub slots: u32,
    /// Tasks that run there.
    pub busy: u32,
    /// How fast a slot is.
    pub speed: f64,
    /// Tasks that it ended.
    pub tasks_done: u64,
}

/// Every step of a task.
#[derive(Debug, Clone, Deserialize)]
pub struct Trace {
    /// In the order in which they happened.
    pub steps: Vec<Step>,
}

/// A step of a task.
#[derive(Debug, Clone, Deserialize)]
pub struct Step {
    /// When, on the broker's clock (RFC 3339).
    pub at: String,
    /// When, in milliseconds since the first step, the task's arrival. All
    /// tasks of a job arrive together, so these times can be compared.
    pub after_ms: f64,
    /// `received`, `queued`, `sent`, `started`, `ended`, `stored`, …
    pub step: String,
    /// Which attempt it belongs to.
    pub attempt: Option<u64>,
    /// Which provider it happened at.
    pub provider: Option<String>,
}

/// Why a request failed.
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    /// A URI for the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind for programs.
    pub code: String,
    /// This very problem in words.
    pub detail: String,
    /// What a guest wrote before it failed.
    pub stderr: Option<String>,
}
