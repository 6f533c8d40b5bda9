//! A result in few bytes: a job may have a million of them.

use bytes::Bytes;
use wasipool_shared::wire::frame::{decode_one, encode_one};

use super::task::{TaskRecord, TaskState};

/// Outputs up to this many bytes together are packed with the rest. This copies
/// them, on purpose: they are slices of frames, and keeping one would keep the
/// whole frame.
const PACKED_MAX: usize = 32 * 1024;

/// A [`TaskRecord`], encoded.
#[derive(Debug)]
pub(super) struct Packed {
    /// Known without decoding, to count and filter.
    pub(super) state: TaskState,
    encoded: Box<[u8]>,
    /// stdout, stderr and artifacts if they are large, else empty.
    outputs: Box<[Bytes]>,
}

impl Packed {
    pub(super) fn new(mut record: TaskRecord) -> Self {
        let size = record.stdout.len()
            + record.stderr.len()
            + record
                .artifacts
                .iter()
                .map(|artifact| artifact.bytes.len())
                .sum::<usize>();
        let mut outputs = Vec::new();
        if size > PACKED_MAX {
            outputs.push(std::mem::take(&mut record.stdout));
            outputs.push(std::mem::take(&mut record.stderr));
            let contents = record.artifacts.iter_mut();
            outputs.extend(contents.map(|artifact| std::mem::take(&mut artifact.bytes)));
        }
        let encoded = encode_one(&record).unwrap_or_else(|error| {
            tracing::error!(%error, "a result can't be encoded");
            Vec::new()
        });
        Self {
            state: record.state,
            encoded: encoded.into(),
            outputs: outputs.into(),
        }
    }

    /// The record again.
    pub(super) fn unpack(&self) -> Option<TaskRecord> {
        let mut record: TaskRecord = decode_one(&self.encoded)
            .inspect_err(|error| tracing::error!(%error, "a result can't be decoded"))
            .ok()?;
        let mut outputs = self.outputs.iter().cloned();
        if let (Some(stdout), Some(stderr)) = (outputs.next(), outputs.next()) {
            record.stdout = stdout;
            record.stderr = stderr;
            for (artifact, bytes) in record.artifacts.iter_mut().zip(outputs) {
                artifact.bytes = bytes;
            }
        }
        Some(record)
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> u64 {
        let outputs: usize = self
            .outputs
            .iter()
            .map(|output| output.len() + size_of::<Bytes>())
            .sum();
        (size_of::<Self>() + self.encoded.len() + outputs) as u64
    }
}
