//! A result in few bytes: a job may have a million of them.
//!
//! What is written here is read by later versions: a change of [`Stored`] is a
//! new format, with a number of its own, and the old ones stay readable.

use bytes::Bytes;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::ProviderId;
use wasipool_shared::wire::frame::{decode_one, encode_one};

use super::task::{
    ArtifactRecord, ProviderRef, TaskRecord, TaskState, TaskTiming, TraceStep, VariantRecord,
};

/// Outputs up to this many bytes together are packed with the rest.
const PACKED_MAX: usize = 32 * 1024;
/// The first byte of what is encoded here.
const FORMAT: u8 = 1;
/// Steps whose names take one byte: only ever added to.
const STEPS: [&str; 9] = [
    "received", "queued", "sent", "started", "ended", "stored", "failed", "returned", "revoked",
];

/// A [`TaskRecord`], encoded.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) state: TaskState,
    pub(super) encoded: Vec<u8>,
    /// Outputs that are too large to be read with each result, by their number:
    /// stdout, stderr, artifacts; then those of each variant.
    pub(super) aside: Vec<(u32, Bytes)>,
}

/// All of a result but its state.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    exit_code: Option<u32>,
    reason: Option<String>,
    attempts: u32,
    outputs: Outputs,
    provider: Option<ProviderRef>,
    /// The fields of [`TaskTiming`], in microseconds.
    timing: [u64; 5],
    /// The time of the first step, in microseconds since 1970.
    began_us: u64,
    /// Providers of the steps.
    providers: Vec<ProviderId>,
    steps: Vec<Step>,
    variants: Vec<Variant>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Variant {
    provider: ProviderRef,
    digest: Digest,
    state: TaskState,
    exit_code: Option<u32>,
    reason: Option<String>,
    outputs: Outputs,
}

#[derive(Debug, Serialize, Deserialize)]
struct Outputs {
    stdout: Output,
    stderr: Output,
    artifacts: Vec<(String, Digest, Output)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Output {
    Here(Bytes),
    /// In a row of its own, of that many bytes.
    Aside(u64),
}

#[derive(Debug, Serialize, Deserialize)]
struct Step {
    /// After the first.
    after_us: i64,
    name: Name,
    attempt: Option<u64>,
    /// Which of the record's providers.
    provider: Option<u32>,
    detail: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Name {
    Known(u8),
    Other(String),
}

impl Packed {
    pub(super) fn new(record: TaskRecord) -> Self {
        let large = record.output_bytes() > PACKED_MAX;
        let mut aside = Vec::new();
        let mut part = 0;
        let mut output = |bytes: Bytes| {
            let number = part;
            part += 1;
            if !large || bytes.is_empty() {
                return Output::Here(bytes);
            }
            let size = bytes.len() as u64;
            aside.push((number, bytes));
            Output::Aside(size)
        };
        let mut outputs = |stdout, stderr, artifacts: Vec<ArtifactRecord>| Outputs {
            stdout: output(stdout),
            stderr: output(stderr),
            artifacts: artifacts
                .into_iter()
                .map(|artifact| (artifact.path, artifact.digest, output(artifact.bytes)))
                .collect(),
        };
        let timing = record.timing;
        let began_us = record.trace.first().map_or(0, |step| us(step.at_ms));
        let mut providers = Vec::new();
        let steps = record.trace.into_iter();
        let steps = steps
            .map(|step| Step::of(step, began_us, &mut providers))
            .collect();
        let stored = Stored {
            exit_code: record.exit_code,
            reason: record.reason,
            attempts: record.attempts,
            outputs: outputs(record.stdout, record.stderr, record.artifacts),
            provider: record.provider,
            timing: [
                us(timing.queued_ms),
                us(timing.transfer_ms),
                us(timing.prepare_ms),
                us(timing.run_ms),
                us(timing.total_ms),
            ],
            began_us,
            providers,
            steps,
            variants: record
                .variants
                .into_iter()
                .map(|one| Variant {
                    provider: one.provider,
                    digest: one.digest,
                    state: one.state,
                    exit_code: one.exit_code,
                    reason: one.reason,
                    outputs: outputs(one.stdout, one.stderr, one.artifacts),
                })
                .collect(),
        };
        let mut encoded = vec![FORMAT];
        match encode_one(&stored) {
            Ok(bytes) => encoded.extend_from_slice(&bytes),
            Err(error) => tracing::error!(%error, "a result can't be encoded"),
        }
        Self {
            state: record.state,
            encoded,
            aside,
        }
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> u64 {
        let aside: usize = self.aside.iter().map(|(_, bytes)| bytes.len()).sum();
        (size_of::<Self>() + self.encoded.len() + aside) as u64
    }
}

/// The record again; `aside` gives the outputs that aren't in `encoded`.
pub(super) fn unpack(
    state: TaskState,
    encoded: &[u8],
    mut aside: impl FnMut(u32) -> rusqlite::Result<Bytes>,
) -> rusqlite::Result<TaskRecord> {
    let stored = match encoded.split_first() {
        Some((&FORMAT, stored)) => {
            decode_one::<Stored>(stored).map_err(|error| unreadable(&error))?
        }
        Some((format, _)) => return Err(unreadable(&format_args!("its format is {format}"))),
        None => return Err(unreadable(&"it is empty")),
    };
    let mut part = 0;
    let mut output = |output| {
        let number = part;
        part += 1;
        match output {
            Output::Here(bytes) => Ok(bytes),
            Output::Aside(_) => aside(number),
        }
    };
    let mut all = |outputs: Outputs| {
        let (stdout, stderr) = (output(outputs.stdout)?, output(outputs.stderr)?);
        let mut artifacts = Vec::with_capacity(outputs.artifacts.len());
        for (path, digest, bytes) in outputs.artifacts {
            let bytes = output(bytes)?;
            artifacts.push(ArtifactRecord {
                path,
                bytes,
                digest,
            });
        }
        Ok::<_, rusqlite::Error>((stdout, stderr, artifacts))
    };
    let (stdout, stderr, artifacts) = all(stored.outputs)?;
    let mut variants = Vec::with_capacity(stored.variants.len());
    for one in stored.variants {
        let (stdout, stderr, artifacts) = all(one.outputs)?;
        variants.push(VariantRecord {
            provider: one.provider,
            digest: one.digest,
            state: one.state,
            exit_code: one.exit_code,
            reason: one.reason,
            stdout,
            stderr,
            artifacts,
        });
    }
    let [queued_ms, transfer_ms, prepare_ms, run_ms, total_ms] = stored.timing.map(ms);
    let steps = stored.steps.into_iter();
    Ok(TaskRecord {
        state,
        exit_code: stored.exit_code,
        reason: stored.reason,
        stdout,
        stderr,
        artifacts,
        provider: stored.provider,
        attempts: stored.attempts,
        timing: TaskTiming {
            queued_ms,
            transfer_ms,
            prepare_ms,
            run_ms,
            total_ms,
        },
        trace: steps
            .map(|step| step.into_trace(stored.began_us, &stored.providers))
            .collect(),
        variants,
    })
}

impl Step {
    fn of(step: TraceStep, began_us: u64, providers: &mut Vec<ProviderId>) -> Self {
        let known = STEPS.iter().position(|known| *known == step.step);
        let provider = step.provider.and_then(|id| {
            let at = providers.iter().position(|known| *known == id);
            let at = at.unwrap_or_else(|| {
                providers.push(id);
                providers.len() - 1
            });
            u32::try_from(at).ok()
        });
        Self {
            after_us: us(step.at_ms).wrapping_sub(began_us).cast_signed(),
            name: match known {
                Some(at) => Name::Known(at as u8),
                None => Name::Other(step.step.into_owned()),
            },
            attempt: step.attempt,
            provider,
            detail: step.detail,
        }
    }

    fn into_trace(self, began_us: u64, providers: &[ProviderId]) -> TraceStep {
        let known = |at: u8| STEPS.get(usize::from(at)).copied().unwrap_or("unknown");
        let provider = self.provider.and_then(|at| providers.get(at as usize));
        TraceStep {
            at_ms: ms(began_us.wrapping_add_signed(self.after_us)),
            step: match self.name {
                Name::Known(at) => known(at).into(),
                Name::Other(name) => name.into(),
            },
            attempt: self.attempt,
            provider: provider.copied(),
            detail: self.detail,
        }
    }
}

fn us(ms: f64) -> u64 {
    (ms * 1e3).round() as u64
}

fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

fn unreadable(reason: &dyn std::fmt::Display) -> rusqlite::Error {
    let reason = format!("a result can't be read: {reason}");
    rusqlite::Error::FromSqlConversionFailure(3, Type::Blob, reason.into())
}

#[cfg(test)]
mod tests {
    use wasipool_shared::capacity::ProviderKind;

    use super::*;

    fn record(stdout: Bytes) -> TaskRecord {
        let provider = ProviderId(7);
        let step = |at_ms, step: &str, attempt| TraceStep {
            at_ms,
            step: step.to_owned().into(),
            attempt,
            provider: attempt.map(|_| provider),
            detail: None,
        };
        TaskRecord {
            state: TaskState::Failed,
            exit_code: Some(3),
            reason: Some("because".to_owned()),
            stdout,
            stderr: Bytes::from_static(b"err"),
            artifacts: vec![ArtifactRecord {
                path: "a/b".to_owned(),
                bytes: Bytes::from_static(b"content"),
                digest: Digest([5; 32]),
            }],
            provider: Some(ProviderRef {
                id: provider,
                name: "lab".to_owned(),
                kind: ProviderKind::Native,
            }),
            attempts: 2,
            timing: TaskTiming {
                queued_ms: 1.5,
                total_ms: 2.25,
                ..TaskTiming::default()
            },
            trace: vec![
                step(1_700_000_000_000.5, "received", None),
                step(1_700_000_000_001.25, "sent", Some(9)),
                step(1_700_000_000_000.75, "odd", Some(9)),
            ],
            variants: Vec::new(),
        }
    }

    fn again(packed: &Packed) -> TaskRecord {
        let aside = |part| {
            let mut all = packed.aside.iter();
            Ok(all.find(|(number, _)| *number == part).unwrap().1.clone())
        };
        unpack(packed.state, &packed.encoded, aside).unwrap()
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let small = record(Bytes::from_static(b"out"));
        let packed = Packed::new(small.clone());
        assert!(packed.aside.is_empty());
        assert_eq!(again(&packed), small);
        let large = record(vec![b'x'; PACKED_MAX].into());
        let packed = Packed::new(large.clone());
        assert_eq!(packed.aside.len(), 3);
        assert!(packed.encoded.len() < 300, "{}", packed.encoded.len());
        assert!(packed.size() > PACKED_MAX as u64);
        assert_eq!(again(&packed), large);

        let variant = |stdout: &'static [u8], bytes: &Bytes| VariantRecord {
            provider: small.provider.clone().unwrap(),
            digest: Digest::of(stdout),
            state: TaskState::Succeeded,
            exit_code: Some(0),
            reason: None,
            stdout: Bytes::from_static(stdout),
            stderr: bytes.clone(),
            artifacts: small.artifacts.clone(),
        };
        for bytes in [Bytes::new(), vec![b'y'; PACKED_MAX].into()] {
            let mut disputed = small.clone();
            disputed.variants = vec![variant(b"one", &bytes), variant(b"two", &bytes)];
            assert_eq!(again(&Packed::new(disputed.clone())), disputed);
        }
    }

    /// What version 1 wrote. If this fails, data that people have can't be read
    /// any more: make a new format, and keep reading this one.
    #[test]
    fn what_was_written_before_is_read() {
        let digest = "05".repeat(32);
        let old = format!(
            "0101030107626563617573650200036f757400036572720103612f62{digest}0007636f6e74656e74\
             0107036c616200dc0b000000ca11f483f9c0c1c48203010703000000000000dc0b00020109010000f4\
             0301036f6464010901000000"
        );
        let bytes: Vec<u8> = (0..old.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&old[at..at + 2], 16).unwrap())
            .collect();
        let aside = |part| panic!("nothing is aside: {part}");
        let read = unpack(TaskState::Failed, &bytes, aside).unwrap();
        assert_eq!(read, record(Bytes::from_static(b"out")));
        assert_eq!(
            TaskState::ALL
                .iter()
                .map(|s| s.as_str())
                .collect::<Vec<_>>()[..10],
            [
                "succeeded",
                "failed",
                "trapped",
                "timed_out",
                "out_of_memory",
                "output_exceeded",
                "rejected",
                "disputed",
                "lost",
                "cancelled"
            ],
            "their places are stored"
        );
    }
}
