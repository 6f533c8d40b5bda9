//! JSON types of the HTTP API: what the broker answers, for its clients too.
//!
//! Fields that a broker of a later version adds are ignored by these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capacity::ProviderKind;
use crate::digest::Digest;
use crate::ids::{JobId, ProviderId};

mod bans;
pub mod events;
mod pool;
#[cfg(feature = "openapi")]
mod schema;
mod size;
mod states;
#[cfg(test)]
mod typescript;

pub use bans::Ban;
pub use pool::{PoolProvider, Stats};
pub use size::{ParseSizeError, parse_size};
pub use states::{JOB_STATES, PROVIDER_STATES, TASK_STATES};

/// Why a request was refused (RFC 9457). Some have further members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The same for each problem of this code, in words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What programs go by; stable.
    pub code: String,
    /// What happened, to which thing, and what to do.
    pub detail: String,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// What is in this part.
    pub items: Vec<T>,
    /// The `cursor` of the next part, if there is one.
    pub next: Option<String>,
}

/// A stored blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blob {
    /// The name that it was asked for by.
    pub name: Option<String>,
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// `module`, `archive` or `data`.
    pub kind: String,
    /// What it needs and offers if it is a module.
    pub module: Option<Module>,
    /// When the name came to point to it, or it came first (RFC 3339, UTC).
    pub created: String,
}

/// What a module needs and offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Module {
    /// `module.name` of each import.
    pub imports: Vec<String>,
    /// Name of each export.
    pub exports: Vec<String>,
    /// Its linear memory, if it has one.
    pub memory: Option<Memory>,
    /// Names of the features that an engine must have to run it.
    pub features: Vec<String>,
}

/// The size of a linear memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Memory {
    /// Pages of 64 KiB at the start.
    pub min_pages: u64,
    /// Pages of 64 KiB at most.
    pub max_pages: Option<u64>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its name here.
    pub id: JobId,
    /// What its owner calls it.
    pub name: Option<String>,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    #[cfg_attr(test, ts(type = "JobStateName"))]
    pub state: String,
    /// What it runs.
    pub module: JobModule,
    /// How many tasks it has.
    pub tasks: u32,
    /// How many of them are in which state.
    #[cfg_attr(test, ts(type = "Partial<Record<TaskStateName, number>>"))]
    pub counts: BTreeMap<String, u32>,
    /// The part of the tasks that has ended, 0 to 1.
    pub progress: f64,
    /// Tasks that end in a second, since the first started.
    pub tasks_per_second: Option<f64>,
    /// When the job will have ended if that goes on, in milliseconds from now.
    pub eta_ms: Option<u64>,
    /// When it came (RFC 3339, UTC).
    pub created: String,
    /// When its first task started.
    pub started: Option<String>,
    /// When its last task ended.
    pub ended: Option<String>,
    /// -100 to 100.
    pub priority: i8,
    /// The owner's own marks.
    pub labels: BTreeMap<String, String>,
    /// With `?wait=`, if the job ended in time: how its first tasks ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<Task>>,
    /// Where all results are, if `results` doesn't hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results_url: Option<String>,
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobModule {
    /// As the owner named it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What that stood for when the job came.
    pub digest: Digest,
}

/// A task and, once it has ended, its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Task {
    /// `<job>.<index>`.
    pub task: String,
    /// Its place in its job, from 0.
    pub index: u32,
    /// `queued`, `running`, or how it ended.
    #[cfg_attr(test, ts(type = "TaskStateName"))]
    pub state: String,
    /// What the guest returned, if it came that far.
    pub exit_code: Option<u32>,
    /// Why it ended, in words.
    pub reason: Option<String>,
    /// What it wrote to stdout, if that is UTF-8 and not too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// The same in base64, if it isn't UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// Where it is, if it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_url: Option<String>,
    /// What it wrote to stderr, if that is UTF-8 and not too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// The same in base64, if it isn't UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// Where it is, if it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_url: Option<String>,
    /// Files that came back.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// The results that differ, of a disputed task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Who ran it in the end.
    pub provider: Option<Provider>,
    /// How often it was tried.
    pub attempts: u32,
    /// Where its time went.
    pub timing: Option<Timing>,
}

/// A file that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Artifact {
    /// Its path below `/`, without a leading slash.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: Digest,
    /// Where it is.
    pub url: String,
}

/// One of several results that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Variant {
    /// Digest of outcome, stdout, stderr and artifacts together: equal ones are
    /// the same result.
    pub digest: Digest,
    /// Who gave it.
    pub provider: Provider,
    /// How the guest ended there.
    pub state: String,
    /// What the guest returned, if it came that far.
    pub exit_code: Option<u32>,
    /// Why it ended, in words.
    pub reason: Option<String>,
    /// Digest of what it wrote to stdout.
    pub stdout_digest: Digest,
    /// How much that is, in bytes.
    pub stdout_size: u64,
    /// What it wrote to stdout, if that is UTF-8 and not too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// The same in base64, if it isn't UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// Digest of what it wrote to stderr.
    pub stderr_digest: Digest,
    /// How much that is, in bytes.
    pub stderr_size: u64,
    /// What it wrote to stderr, if that is UTF-8 and not too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// The same in base64, if it isn't UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// Files that came back.
    #[serde(default)]
    pub artifacts: Vec<VariantArtifact>,
}

/// A file that came back with one of several results that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VariantArtifact {
    /// Its path below `/`, without a leading slash.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: Digest,
}

/// Who ran a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provider {
    /// Its name for that session.
    pub id: ProviderId,
    /// What people call it.
    pub name: String,
    /// Where it runs.
    pub kind: ProviderKind,
}

/// Where a task's time went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timing {
    /// Until it was sent to the provider that ran it in the end.
    pub queued_ms: f64,
    /// Until all its blobs were there.
    pub transfer_ms: f64,
    /// Until the guest's first instruction.
    pub prepare_ms: f64,
    /// Until the guest's last instruction.
    pub run_ms: f64,
    /// From submission to the end, all included.
    pub total_ms: f64,
}

/// What happened to a task, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Trace {
    /// `<job>.<index>`.
    pub task: String,
    /// `queued`, `running`, or how it ended.
    #[cfg_attr(test, ts(type = "TaskStateName"))]
    pub state: String,
    /// In the order of their time; of a task that hasn't ended, those until now.
    pub steps: Vec<TraceStep>,
}

/// One thing that happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceStep {
    /// When (RFC 3339, UTC).
    pub at: String,
    /// The same in milliseconds since the first step, with their fraction.
    pub after_ms: f64,
    /// What.
    pub step: String,
    /// To which attempt.
    pub attempt: Option<u64>,
    /// At which provider.
    pub provider: Option<String>,
    /// Further words.
    pub detail: Option<String>,
}

/// How the transport is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Transport {
    /// Where the WebTransport session is opened.
    pub url: String,
    /// Certificates to expect; none if they are to be checked the usual way.
    pub certificate_hashes: Vec<CertificateHash>,
    /// Protocol versions, oldest and newest.
    pub protocol: [u16; 2],
}

/// The hash of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateHash {
    /// `sha-256`.
    pub algorithm: String,
    /// In hexadecimal digits.
    pub value: String,
}

/// What lets one provider in, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// What the provider's hello must hold.
    pub ticket: String,
    /// When it ends (RFC 3339, UTC).
    pub expires: String,
}
