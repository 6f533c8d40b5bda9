//! Connect's protocol for single calls (connectrpc.com/docs/protocol): a message
//! each way as the body of a POST, in JSON or as plain protobuf.

mod code;

pub(super) use code::{Code, ConnectError};

use std::io::Read as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Buf as _, Bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::object::Object;
use crate::http::{App, Problem, body};

/// Messages up to this size are decoded right away, larger ones on a thread
/// that may be busy for a while.
const DECODE_AT_ONCE: usize = 256 * 1024;

/// How messages are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Json,
    Proto,
}

impl Codec {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Some(Self::Json),
            "application/proto" => Some(Self::Proto),
            _ => None,
        }
    }

    fn media(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Proto => "application/proto",
        })
    }

    fn decode<M>(self, bytes: Bytes) -> Result<M, ConnectError>
    where
        M: prost::Message + Default + DeserializeOwned,
    {
        let decoded = match self {
            Self::Json => serde_json::from_slice(&bytes)
                .map(|Object(message)| message)
                .map_err(|error| error.to_string()),
            Self::Proto => M::decode(bytes).map_err(|error| error.to_string()),
        };
        decoded.map_err(|error| {
            ConnectError::new(Code::InvalidArgument, format!("unmarshal message: {error}"))
        })
    }

    fn encode<M: prost::Message + Serialize>(self, message: &M) -> Result<Vec<u8>, ConnectError> {
        match self {
            Self::Json => serde_json::to_vec(message).map_err(|error| {
                ConnectError::new(Code::Internal, format!("marshal message: {error}"))
            }),
            Self::Proto => Ok(message.encode_to_vec()),
        }
    }
}

/// Answers one call by what `call` makes of its message.
pub(super) async fn unary<Asked, Answer>(
    app: &App,
    request: Request,
    call: impl AsyncFnOnce(Asked) -> Result<Answer, ConnectError>,
) -> Response
where
    Asked: prost::Message + Default + DeserializeOwned + 'static,
    Answer: prost::Message + Serialize,
{
    let (parts, content) = request.into_parts();
    let Some(codec) = Codec::of(&parts.headers) else {
        let accepted = HeaderValue::from_static("application/json, application/proto");
        let headers = [(HeaderName::from_static("accept-post"), accepted)];
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, headers).into_response();
    };
    let answer = async {
        let limit = time_limit(&parts.headers)?;
        let whole = async {
            let asked = receive(app, codec, &parts.headers, content).await?;
            codec.encode(&call(asked).await?)
        };
        match limit {
            None => whole.await,
            Some(limit) => tokio::time::timeout(limit, whole)
                .await
                .unwrap_or_else(|_| {
                    Err(ConnectError::new(
                        Code::DeadlineExceeded,
                        "the call took longer than its Connect-Timeout-Ms",
                    ))
                }),
        }
    };
    match answer.await {
        Ok(bytes) => ([(header::CONTENT_TYPE, codec.media())], bytes).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn receive<M>(
    app: &App,
    codec: Codec,
    headers: &HeaderMap,
    content: Body,
) -> Result<M, ConnectError>
where
    M: prost::Message + Default + DeserializeOwned + 'static,
{
    if let Some(version) = headers.get("connect-protocol-version")
        && version != "1"
    {
        let text = format!("connect-protocol-version: {version:?} is not 1");
        return Err(ConnectError::new(Code::InvalidArgument, text));
    }
    let limit = app.limits.request_json_bytes;
    let compressed = match headers
        .get(header::CONTENT_ENCODING)
        .map(HeaderValue::as_bytes)
    {
        None | Some(b"identity") => false,
        Some(b"gzip") => true,
        Some(other) => {
            let text = format!(
                "unknown compression {:?}: supported is gzip",
                String::from_utf8_lossy(other)
            );
            return Err(ConnectError::new(Code::Unimplemented, text));
        }
    };
    let bytes = body::read(content, limit).await?;
    let at_once = !compressed && bytes.len() <= DECODE_AT_ONCE;
    let decode = move || {
        let bytes = if compressed {
            unpack(&bytes, limit)?
        } else {
            bytes
        };
        codec.decode(bytes)
    };
    if at_once {
        return decode();
    }
    let decoded = tokio::task::spawn_blocking(decode).await;
    decoded.map_err(|error| Problem::internal(error.to_string()))?
}

fn unpack(bytes: &Bytes, limit: usize) -> Result<Bytes, ConnectError> {
    let mut unpacked = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(bytes.clone().reader());
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(most)
        .read_to_end(&mut unpacked)
        .map_err(|error| {
            ConnectError::new(Code::InvalidArgument, format!("decompress: {error}"))
        })?;
    if unpacked.len() > limit {
        let text = format!("the message may have {limit} bytes at most, decompressed");
        return Err(ConnectError::new(Code::ResourceExhausted, text));
    }
    Ok(unpacked.into())
}

/// The time that the client gives the call.
fn time_limit(headers: &HeaderMap) -> Result<Option<Duration>, ConnectError> {
    let Some(value) = headers.get("connect-timeout-ms") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(ms) if digits => Ok(Some(Duration::from_millis(ms))),
        _ => {
            let text = format!("connect-timeout-ms: {value:?} is not a number of up to 10 digits");
            Err(ConnectError::new(Code::InvalidArgument, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        HeaderMap::from_iter([(name, value)])
    }

    #[test]
    fn the_content_type_names_the_codec() {
        for (kind, codec) in [
            ("application/json", Some(Codec::Json)),
            ("Application/JSON; charset=utf-8", Some(Codec::Json)),
            ("application/proto", Some(Codec::Proto)),
            ("application/connect+proto", None),
            ("application/grpc", None),
            ("text/plain", None),
        ] {
            assert_eq!(Codec::of(&with("content-type", kind)), codec, "{kind}");
        }
        assert_eq!(Codec::of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_call_has_the_time_that_its_client_gives() {
        let limit = |value| time_limit(&with("connect-timeout-ms", value));
        assert_eq!(limit("1500").unwrap(), Some(Duration::from_millis(1_500)));
        assert_eq!(time_limit(&HeaderMap::new()).unwrap(), None);
        for value in ["", "-1", "+1", "1s", "12345678901"] {
            assert_eq!(
                limit(value).unwrap_err().code,
                Code::InvalidArgument,
                "{value}"
            );
        }
    }

    #[test]
    fn compressed_messages_are_limited_by_what_they_unpack_to() {
        use std::io::Write as _;
        let pack = |bytes: &[u8]| -> Bytes {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap().into()
        };
        assert_eq!(unpack(&pack(&[7; 1_000]), 1_000).unwrap(), vec![7; 1_000]);
        let error = unpack(&pack(&[7; 1_001]), 1_000).unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        let error = unpack(&Bytes::from_static(b"no gzip"), 1_000).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
}
