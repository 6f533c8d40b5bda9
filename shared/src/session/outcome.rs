//! From what a guest's run gave to what goes over the wire.

use bytes::Bytes;

use super::Effect;
use crate::ids::AttemptId;
use crate::limits::{INLINE_BYTES_MAX, REASON_BYTES_MAX};
use crate::task::{Outcome, Timing};
use crate::wire::bulk::{BulkHeader, OutputPart};
use crate::wire::message::{Artifact, Ended, Output, ToBroker};

/// What a guest's run gave, as an executor reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunResult {
    /// The fencing number of the assignment.
    pub attempt: AttemptId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it wrote to stdout.
    pub stdout: Bytes,
    /// What it wrote to stderr.
    pub stderr: Bytes,
    /// Files to bring back: path without leading slash and content, sorted.
    pub artifacts: Vec<(String, Bytes)>,
    /// From its first instruction to its last, in microseconds.
    pub run_us: u64,
}

/// Sends a result: small outputs in the message, as long as together they are
/// within [`INLINE_BYTES_MAX`], the others on streams of their own.
pub(super) fn send(
    result: RunResult,
    transfer_us: u64,
    since_ready_us: u64,
    effects: &mut Vec<Effect>,
) {
    let attempt = result.attempt;
    let mut budget = INLINE_BYTES_MAX;
    let mut place = |part, bytes: Bytes| {
        if bytes.len() <= budget {
            budget -= bytes.len();
            return Output::Inline(bytes);
        }
        let size = bytes.len() as u64;
        effects.push(Effect::SendBulk(
            BulkHeader::Output {
                attempt,
                part,
                size,
            },
            bytes,
        ));
        Output::Stream { size }
    };
    let stdout = place(OutputPart::Stdout, result.stdout);
    let stderr = place(OutputPart::Stderr, result.stderr);
    let artifacts = (0..)
        .zip(result.artifacts)
        .map(|(index, (path, bytes))| Artifact {
            path,
            content: place(OutputPart::Artifact(index), bytes),
        })
        .collect();
    let outcome = match result.outcome {
        Outcome::Trapped { reason } => Outcome::Trapped {
            reason: cut_text(reason, REASON_BYTES_MAX),
        },
        outcome => outcome,
    };
    let timing = Timing {
        transfer_us,
        prepare_us: since_ready_us.saturating_sub(result.run_us),
        run_us: result.run_us,
    };
    let ended = Ended {
        attempt,
        outcome,
        stdout,
        stderr,
        artifacts,
        timing,
    };
    effects.push(Effect::Send(ToBroker::Ended(ended)));
}

/// At most `limit` bytes of a text, cut between characters.
pub(super) fn cut_text(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
    }
    text
}
