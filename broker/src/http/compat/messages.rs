//! The messages of the earlier system's service, each for protobuf and for
//! proto3's JSON.
//!
//! Numbers and names are those of its `proto/v1/messages.proto` (package
//! `wasimoff.v1`, edition 2023: every field knows whether it is there). Unknown
//! fields are passed over in both encodings, as its server did.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};
use bytes::Bytes;
use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::object;

/// `Task.Metadata`
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    #[prost(string, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requester: Option<String>,
    #[prost(string, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    /// What the client calls the task.
    #[prost(string, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
}

/// `google.protobuf.Timestamp`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let time: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self {
            seconds: time.as_second(),
            nanos: time.subsec_nanosecond(),
        })
    }
}

/// `Task.QoS`
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Qos {
    #[prost(bool, optional, tag = "1")]
    pub(super) priority: Option<bool>,
    #[prost(message, optional, tag = "2")]
    pub(super) deadline: Option<Timestamp>,
    /// Run now or not at all.
    #[prost(bool, optional, tag = "3")]
    pub(super) immediate: Option<bool>,
}

/// `File`: content, or what stands for it.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct File {
    #[prost(string, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
    pub(super) reference: Option<String>,
    /// Its media type.
    #[prost(string, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none", with = "base64_bytes")]
    pub(super) blob: Option<Bytes>,
}

/// `Task.Wasip1.Params`
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct Params {
    #[prost(message, optional, tag = "1")]
    #[serde(deserialize_with = "object::nullable")]
    pub(super) binary: Option<File>,
    /// `argv[0]` first.
    #[prost(string, repeated, tag = "2")]
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) args: Vec<String>,
    /// Each `NAME=value`.
    #[prost(string, repeated, tag = "3")]
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) envs: Vec<String>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    #[serde(with = "base64_bytes")]
    pub(super) stdin: Option<Bytes>,
    /// A zip of what the guest finds below `/`.
    #[prost(message, optional, tag = "5")]
    #[serde(deserialize_with = "object::nullable")]
    pub(super) rootfs: Option<File>,
    #[prost(string, repeated, tag = "6")]
    #[serde(deserialize_with = "null_is_empty")]
    pub(super) artifacts: Vec<String>,
}

/// `Task.Wasip1.Request`
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct RunRequest {
    #[prost(message, optional, tag = "1")]
    #[serde(deserialize_with = "object::nullable")]
    pub(super) info: Option<Metadata>,
    #[prost(message, optional, tag = "2")]
    #[serde(deserialize_with = "object::nullable")]
    pub(super) qos: Option<Qos>,
    #[prost(message, optional, tag = "3")]
    #[serde(deserialize_with = "object::nullable")]
    pub(super) params: Option<Params>,
}

/// `Task.Wasip1.Output`
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct Output {
    /// The exit code. There even if it is 0: a client of the earlier system
    /// relies on that.
    #[prost(int32, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<i32>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none", with = "base64_bytes")]
    pub(super) stdout: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none", with = "base64_bytes")]
    pub(super) stderr: Option<Bytes>,
    /// A zip.
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifacts: Option<File>,
}

/// The `result` of a `Task.Wasip1.Response`.
#[derive(Clone, PartialEq, prost::Oneof, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RunResult {
    #[prost(string, tag = "2")]
    Error(String),
    #[prost(message, tag = "3")]
    Ok(Output),
}

/// `Task.Wasip1.Response`
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct RunResponse {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<Metadata>,
    #[prost(oneof = "RunResult", tags = "2, 3")]
    #[serde(flatten)]
    pub(super) result: Option<RunResult>,
}

/// `Filesystem.Upload.Request`
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(super) struct UploadRequest {
    #[prost(message, optional, tag = "1")]
    #[serde(deserialize_with = "object::nullable")]
    pub(super) upload: Option<File>,
}

/// `Filesystem.Upload.Response`
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct UploadResponse {
    #[prost(string, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
    pub(super) reference: Option<String>,
}

/// In JSON `null` stands for a field that isn't there.
fn null_is_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

/// Bytes in proto3's JSON: written in the standard alphabet with padding, read
/// in either alphabet with or without it.
mod base64_bytes {
    use super::*;

    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Bytes>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_str(&STANDARD.encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Bytes>, D::Error> {
        let Some(text) = Option::<std::borrow::Cow<'de, str>>::deserialize(from)? else {
            return Ok(None);
        };
        let engine = if text.contains(['-', '_']) {
            URL_SAFE
        } else {
            STANDARD
        };
        let decoded = engine.decode(text.as_bytes()).map_err(D::Error::custom)?;
        Ok(Some(decoded.into()))
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
