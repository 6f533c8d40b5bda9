//! What is said on a session, version 1.
//!
//! Messages are encoded by [postcard](https://postcard.jamesmunns.com/wire-format):
//! enum variants by their place, so variants are only ever added at the end,
//! and only with a new protocol version.

use serde::{Deserialize, Serialize};

use super::list::at_most;
use super::version::VersionRange;
use crate::capacity::{Capacity, ProviderKind};
use crate::digest::Digest;
use crate::ids::{AttemptId, ProviderId, TaskId};
use crate::limits::ARTIFACTS_MAX;
use crate::task::{BlobRef, Fault, Outcome, TaskSpec, Timing};

/// The provider's first message: alone in the first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Versions that it speaks; always first, always in this encoding.
    pub versions: VersionRange,
    /// The single-use ticket that lets it in.
    pub ticket: String,
    /// What people call it.
    pub name: String,
    /// Where it runs.
    pub kind: ProviderKind,
    /// Program and version, or the browser's.
    pub agent: String,
    /// What it offers.
    pub capacity: Capacity,
}

/// The broker's first message: alone in the first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HelloReply {
    /// The provider is in.
    Welcome(Welcome),
    /// It is not; the session closes.
    Refuse(Refuse),
}

/// What a provider that is let in must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version that all further messages are in.
    pub protocol: u16,
    /// The name of this session's provider.
    pub provider: ProviderId,
    /// Silence, in milliseconds, after which either end gives the session up.
    pub idle_ms: u32,
    /// How often the provider pings, in milliseconds.
    pub heartbeat_ms: u32,
    /// Assignments that the broker will have waiting or running there at most.
    pub assignments_max: u32,
}

/// Why a provider is not let in, or has to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refuse {
    /// What kind of refusal: decides whether trying again makes sense.
    pub code: RefuseCode,
    /// What a person should know and do.
    pub text: String,
}

/// Kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefuseCode {
    /// No common protocol version: upgrade.
    Version,
    /// The ticket is unknown, used or too old: get a new one and try again.
    Ticket,
    /// The hello breaks a rule: trying again won't help.
    Invalid,
    /// The broker has as many providers as it allows: try later.
    Full,
    /// The broker stops: try later.
    Stopping,
    /// An operator doesn't want this provider: don't try again.
    Banned,
}

/// One task to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The fencing number: comes back with the outcome.
    pub attempt: AttemptId,
    /// Which task it is.
    pub task: TaskId,
    /// The module to run.
    pub module: BlobRef,
    /// What people call it: the job's name, or how the job refers to the module;
    /// at most [`LABEL_BYTES_MAX`](crate::limits::LABEL_BYTES_MAX) bytes. Only
    /// shown.
    pub label: String,
    /// How to run it.
    pub spec: TaskSpec,
}

/// What the broker says after its welcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all messages are assignments"
)]
pub enum ToProvider {
    /// Run this.
    Assign(Assignment),
    /// Stop that attempt, if it still waits or runs; no outcome is expected.
    Revoke(AttemptId),
    /// A blob that was asked for can't be had.
    NoBlob(Digest),
    /// The answer to [`ToBroker::Ping`], with its number.
    Pong(u64),
    /// Take no more, finish what runs, then leave.
    Drain,
    /// The broker ends the session.
    Bye(Refuse),
}

/// What the provider says after its hello.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToBroker {
    /// An attempt has ended by the guest's own doing.
    Ended(Ended),
    /// An attempt has failed by the provider's fault.
    Failed {
        /// Which.
        attempt: AttemptId,
        /// Why.
        fault: Fault,
    },
    /// An attempt that won't end here: the provider drains, pauses or leaves.
    Returned(AttemptId),
    /// A blob is needed; the broker opens a stream with it.
    Want(Digest),
    /// What the provider offers has changed.
    Capacity(Capacity),
    /// Sign of life; the answer carries the same number.
    Ping(u64),
    /// The provider takes no new tasks from now on.
    Draining,
    /// The provider leaves; nothing follows.
    Bye,
}

/// The outcome of an attempt with everything that came out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The fencing number of the assignment.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it wrote to stdout.
    pub stdout: Output,
    /// What it wrote to stderr.
    pub stderr: Output,
    /// The files it left that were asked for, sorted by path.
    #[serde(deserialize_with = "at_most::<_, _, ARTIFACTS_MAX>")]
    pub artifacts: Vec<Artifact>,
    /// Where its time went.
    pub timing: Timing,
}

/// Bytes that came out of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// The bytes themselves.
    Inline(bytes::Bytes),
    /// They come on a bulk stream of this many bytes.
    Stream {
        /// How many.
        size: u64,
    },
}

impl Output {
    /// Size in bytes, wherever they are.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stream { size } => *size,
        }
    }
}

/// A file that a guest left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its path below `/`, without a leading slash.
    pub path: String,
    /// Its content.
    pub content: Output,
}
