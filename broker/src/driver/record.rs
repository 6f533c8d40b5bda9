//! From how a task ended to what is stored and shown of it.

use bytes::Bytes;
use wasipool_shared::digest::{Digest, Hasher};
use wasipool_shared::ids::JobId;
use wasipool_shared::task::Outcome;
use wasipool_shared::wire::frame::encode_one;

use super::handle::Finished;
use super::live::{Try, TryEnd};
use crate::clock::Clock;
use crate::core::End;
use crate::store::{
    ArtifactRecord, ProviderRef, TaskRecord, TaskState, TaskTiming, TraceStep, VariantRecord,
};

/// What two results must have in common to be equal: outcome, stdout, stderr
/// and artifacts, byte for byte. Time and place don't count; neither does a
/// trap's backtrace, which engines word differently.
pub(super) fn fingerprint(finished: &Finished) -> Digest {
    let mut hasher = Hasher::default();
    let outcome = match &finished.outcome {
        Outcome::Trapped { reason } => Outcome::Trapped {
            reason: reason.lines().next().unwrap_or_default().to_owned(),
        },
        outcome => outcome.clone(),
    };
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(&encode_one(&outcome).unwrap_or_default());
    add(&finished.stdout);
    add(&finished.stderr);
    for (path, content) in &finished.artifacts {
        add(path.as_bytes());
        add(content);
    }
    hasher.finish()
}

/// What is stored of a task that has ended.
pub(super) fn record(
    clock: Clock,
    job: JobId,
    created_ms: f64,
    now_ms: f64,
    end: End,
    attempts: u32,
    tries: Vec<Try>,
) -> TaskRecord {
    let mut trace = steps(clock, job, created_ms, &tries);
    trace.push(step(clock, now_ms, "stored"));
    let last_sent_ms = tries.last().map_or(now_ms, |known| known.sent_ms);
    let mut record = TaskRecord {
        state: TaskState::Cancelled,
        exit_code: None,
        reason: None,
        stdout: Bytes::new(),
        stderr: Bytes::new(),
        artifacts: Vec::new(),
        provider: None,
        attempts,
        timing: TaskTiming {
            queued_ms: last_sent_ms - created_ms,
            total_ms: now_ms - created_ms,
            ..TaskTiming::default()
        },
        trace,
        variants: Vec::new(),
    };
    match end {
        End::Final { attempt, .. } => {
            if let Some(won) = tries.into_iter().find(|known| known.attempt == attempt) {
                fill(&mut record, won, created_ms);
            }
        }
        End::Lost { reason } => ended(&mut record, TaskState::Lost, Some(&reason)),
        End::Rejected { reason } => ended(&mut record, TaskState::Rejected, Some(&reason)),
        End::Disputed { reason } => {
            ended(&mut record, TaskState::Disputed, Some(&reason));
            record.variants = tries.into_iter().filter_map(variant).collect();
        }
        End::Cancelled => ended(&mut record, TaskState::Cancelled, None),
    }
    record
}

/// What happened to a task until now.
pub(super) fn steps(clock: Clock, job: JobId, created_ms: f64, tries: &[Try]) -> Vec<TraceStep> {
    let queued = step(clock, created_ms, "queued");
    // The job's name starts with the time at which it came.
    let received_ms = job.unix_ms() as f64;
    let received = TraceStep {
        at_ms: received_ms.min(queued.at_ms),
        step: "received".into(),
        ..queued.clone()
    };
    // All that an attempt adds, and the end.
    let mut steps = Vec::with_capacity(3 + 3 * tries.len());
    steps.extend([received, queued]);
    for known in tries {
        trace_try(clock, known, &mut steps);
    }
    steps
}

fn ended(record: &mut TaskRecord, state: TaskState, reason: Option<&str>) {
    record.state = state;
    record.reason = reason.map(str::to_owned);
}

fn fill(record: &mut TaskRecord, won: Try, created_ms: f64) {
    let sent_ms = won.sent_ms;
    record.provider = Some(provider_ref(&won));
    let Some((_, TryEnd::Finished(finished))) = won.end else {
        return;
    };
    (record.state, record.exit_code, record.reason) = named(finished.outcome);
    record.stdout = finished.stdout;
    record.stderr = finished.stderr;
    record.artifacts = artifacts(finished.artifacts);
    let ms = |micros: u64| micros as f64 / 1e3;
    record.timing.queued_ms = sent_ms - created_ms;
    record.timing.transfer_ms = ms(finished.timing.transfer_us);
    record.timing.prepare_ms = ms(finished.timing.prepare_us);
    record.timing.run_ms = ms(finished.timing.run_us);
}

/// A result among others that differ; nothing of a try that gave none.
fn variant(known: Try) -> Option<VariantRecord> {
    let provider = provider_ref(&known);
    let Some((_, TryEnd::Finished(finished))) = known.end else {
        return None;
    };
    let digest = fingerprint(&finished);
    let (state, exit_code, reason) = named(finished.outcome);
    Some(VariantRecord {
        provider,
        digest,
        state,
        exit_code,
        reason,
        stdout: finished.stdout,
        stderr: finished.stderr,
        artifacts: artifacts(finished.artifacts),
    })
}

pub(super) fn provider_ref(known: &Try) -> ProviderRef {
    ProviderRef {
        id: known.provider.id,
        name: known.provider.name.clone(),
        kind: known.provider.kind,
    }
}

/// An outcome as state, exit code and reason.
fn named(outcome: Outcome) -> (TaskState, Option<u32>, Option<String>) {
    match outcome {
        Outcome::Exited(0) => (TaskState::Succeeded, Some(0), None),
        Outcome::Exited(code) => (TaskState::Failed, Some(code), None),
        Outcome::Trapped { reason } => (TaskState::Trapped, None, Some(reason)),
        Outcome::TimedOut => (TaskState::TimedOut, None, None),
        Outcome::OutOfMemory => (TaskState::OutOfMemory, None, None),
        Outcome::OutputExceeded { what } => {
            let reason = format!("{} is over the limit", what.as_str());
            (TaskState::OutputExceeded, None, Some(reason))
        }
    }
}

fn artifacts(files: Vec<(String, Bytes)>) -> Vec<ArtifactRecord> {
    let artifact = |(path, bytes): (String, Bytes)| {
        let digest = Digest::of(&bytes);
        ArtifactRecord {
            path,
            bytes,
            digest,
        }
    };
    files.into_iter().map(artifact).collect()
}

fn step(clock: Clock, at_ms: f64, step: &'static str) -> TraceStep {
    TraceStep {
        at_ms: clock.to_unix_ms(at_ms),
        step: step.into(),
        attempt: None,
        provider: None,
        detail: None,
    }
}

fn trace_try(clock: Clock, known: &Try, trace: &mut Vec<TraceStep>) {
    let of_try = |at_ms, name, detail| TraceStep {
        attempt: Some(known.attempt.0),
        provider: Some(known.provider.id),
        detail,
        ..step(clock, at_ms, name)
    };
    let named = format!("{} ({})", known.provider.name, known.provider.kind.as_str());
    trace.push(of_try(known.sent_ms, "sent", Some(named)));
    let Some((ended_ms, end)) = &known.end else {
        return;
    };
    match end {
        TryEnd::Finished(finished) => {
            // The provider's clock is another one: only durations are taken.
            let started_ms = ended_ms - finished.timing.run_us as f64 / 1e3;
            trace.push(of_try(started_ms.max(known.sent_ms), "started", None));
            trace.push(of_try(*ended_ms, "ended", None));
        }
        TryEnd::Failed(reason) => trace.push(of_try(*ended_ms, "failed", Some(reason.clone()))),
        TryEnd::Returned => trace.push(of_try(*ended_ms, "returned", None)),
        TryEnd::Revoked => trace.push(of_try(*ended_ms, "revoked", None)),
    }
}
