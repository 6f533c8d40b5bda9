//! Unidirectional streams for what is too large for a frame.
//!
//! A stream is a header's length (`u16`, little-endian), the header, and the
//! bytes that the header announces; then it ends. Each end opens at most
//! [`BULK_STREAMS_MAX`](crate::limits::BULK_STREAMS_MAX) at a time.

use serde::{Deserialize, Serialize};

use super::WireError;
use super::frame::{decode_one, encode_one};
use crate::ids::AttemptId;
use crate::limits::{
    ARTIFACT_BYTES_MAX, BLOB_BYTES_MAX, BULK_HEADER_BYTES_MAX, BULK_MESSAGE_BYTES_MAX,
    OUTPUT_BYTES_MAX,
};
use crate::task::BlobRef;

/// Bytes of the header's length.
pub const LENGTH_BYTES: usize = 2;

/// What a bulk stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkHeader {
    /// A message that is too large for a frame.
    Message {
        /// Bytes of its encoding.
        size: u64,
    },
    /// A blob; the receiver checks its digest. Broker to provider only.
    Blob(BlobRef),
    /// What an attempt wrote, or a file it left. Provider to broker only.
    Output {
        /// Of which attempt.
        attempt: AttemptId,
        /// Which of its outputs.
        part: OutputPart,
        /// How many bytes.
        size: u64,
    },
}

/// Which of an attempt's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OutputPart {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The artifact of that index in [`super::message::Ended::artifacts`].
    Artifact(u32),
}

impl BulkHeader {
    /// Bytes that follow the header.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Message { size } | Self::Output { size, .. } => *size,
            Self::Blob(blob) => blob.size,
        }
    }

    /// The header with its length before it.
    ///
    /// # Errors
    /// Never for these headers.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let content = encode_one(self)?;
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&content);
        Ok(bytes)
    }

    /// How long the header is that `length` announces.
    ///
    /// # Errors
    /// If it is over the limit or 0.
    pub fn decode_length(length: [u8; LENGTH_BYTES]) -> Result<usize, WireError> {
        let length = usize::from(u16::from_le_bytes(length));
        match length {
            0 => Err(WireError::EmptyFrame),
            1..=BULK_HEADER_BYTES_MAX => Ok(length),
            _ => Err(WireError::FrameTooLarge {
                size: length as u64,
                limit: BULK_HEADER_BYTES_MAX,
            }),
        }
    }

    /// The header itself, without its length.
    ///
    /// # Errors
    /// If it doesn't decode, or announces more than what it carries may have.
    pub fn decode(content: &[u8]) -> Result<Self, WireError> {
        let header: Self = decode_one(content)?;
        let (what, limit) = match header {
            Self::Message { .. } => ("a message", BULK_MESSAGE_BYTES_MAX as u64),
            Self::Blob(_) => ("a blob", BLOB_BYTES_MAX),
            Self::Output {
                part: OutputPart::Artifact(_),
                ..
            } => ("an artifact", ARTIFACT_BYTES_MAX),
            Self::Output { .. } => ("an output", OUTPUT_BYTES_MAX),
        };
        let size = header.size();
        if size > limit {
            return Err(WireError::OverLimit { what, size, limit });
        }
        Ok(header)
    }
}
