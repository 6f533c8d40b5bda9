//! How a task ended, and all that came out of it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::ProviderId;

macro_rules! task_states {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// How a task ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum TaskState {
            $($(#[$doc])* $variant,)*
        }

        impl TaskState {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in the API.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

task_states! {
    /// Exit code 0.
    Succeeded = "succeeded";
    /// Another exit code.
    Failed = "failed";
    /// A wasm trap.
    Trapped = "trapped";
    /// Ran over its time.
    TimedOut = "timed_out";
    /// Asked for too much memory.
    OutOfMemory = "out_of_memory";
    /// Wrote too much.
    OutputExceeded = "output_exceeded";
    /// No provider could run it.
    Rejected = "rejected";
    /// Providers gave different results.
    Disputed = "disputed";
    /// Too many attempts ended with their provider.
    Lost = "lost";
    /// By the user.
    Cancelled = "cancelled";
}

impl TaskState {
    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == name)
    }
}

/// A task that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// How it ended.
    pub state: TaskState,
    /// What the guest returned, if it came that far.
    pub exit_code: Option<u32>,
    /// Why it ended, in words.
    pub reason: Option<String>,
    /// What it wrote to stdout.
    pub stdout: Bytes,
    /// What it wrote to stderr.
    pub stderr: Bytes,
    /// Files that were asked for, sorted by path.
    pub artifacts: Vec<ArtifactRecord>,
    /// Who ran it in the end.
    pub provider: Option<ProviderRef>,
    /// How often it was tried.
    pub attempts: u32,
    /// Where its time went.
    pub timing: TaskTiming,
    /// What happened, step by step.
    pub trace: Vec<TraceStep>,
    /// The results that differ, of a disputed task, in the order in which they
    /// came; empty for all others.
    pub variants: Vec<VariantRecord>,
}

/// One of several results that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantRecord {
    /// Who gave it.
    pub provider: ProviderRef,
    /// Digest of exit code, stdout, stderr and artifacts together: equal ones
    /// are the same result.
    pub digest: Digest,
    /// How the guest ended there.
    pub state: TaskState,
    /// What the guest returned, if it came that far.
    pub exit_code: Option<u32>,
    /// Why it ended, in words.
    pub reason: Option<String>,
    /// What it wrote to stdout.
    pub stdout: Bytes,
    /// What it wrote to stderr.
    pub stderr: Bytes,
    /// Files that were asked for, sorted by path.
    pub artifacts: Vec<ArtifactRecord>,
}

impl TaskRecord {
    /// Bytes of all outputs: stdout, stderr and artifacts, of all variants too.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        let size = |stdout: &Bytes, stderr: &Bytes, artifacts: &[ArtifactRecord]| {
            let artifacts = artifacts.iter().map(|artifact| artifact.bytes.len());
            stdout.len() + stderr.len() + artifacts.sum::<usize>()
        };
        let variants = self.variants.iter();
        let variants = variants.map(|one| size(&one.stdout, &one.stderr, &one.artifacts));
        size(&self.stdout, &self.stderr, &self.artifacts) + variants.sum::<usize>()
    }
}

/// A file that came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Its path below `/`, without a leading slash.
    pub path: String,
    /// Its content.
    pub bytes: Bytes,
    /// The digest of its content.
    pub digest: Digest,
}

/// What is kept of a provider that ran something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRef {
    /// Its name for that session.
    pub id: ProviderId,
    /// What people call it.
    pub name: String,
    /// Where it runs.
    pub kind: ProviderKind,
}

/// Where a task's time went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskTiming {
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

/// One thing that happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceStep {
    /// When, in Unix milliseconds.
    pub at_ms: f64,
    /// What.
    pub step: Cow<'static, str>,
    /// To which attempt.
    pub attempt: Option<u64>,
    /// At which provider.
    pub provider: Option<ProviderId>,
    /// Further words.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use wasipool_shared::api::TASK_STATES;

    use super::*;

    #[test]
    fn the_api_lists_every_state() {
        let names: Vec<_> = TaskState::ALL.iter().map(|state| state.as_str()).collect();
        assert_eq!(["queued", "running"].as_slice(), &TASK_STATES[..2]);
        assert_eq!(names, &TASK_STATES[2..]);
    }
}
