//! Bodies of requests: read within a limit, or streamed to the store.

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::{App, Problem};
use crate::module::{self, BlobKind, Guess};
use crate::store::upload::Uploaded;
use crate::store::{PutBlob, Upload};

/// Modules up to this size are checked right away, larger ones on a thread that
/// may be busy for a while.
const CHECK_AT_ONCE: u64 = 32 * 1024;

/// The whole body, if it isn't larger than `limit`.
///
/// # Errors
/// If it is, or the client breaks off.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body may have {limit} bytes at most");
        Problem::too_large(detail).with("limit", limit)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut stream = body.into_data_stream();
    let Some(first) = stream.next().await.transpose().map_err(broken)? else {
        return Ok(Bytes::new());
    };
    let Some(second) = stream.next().await.transpose().map_err(broken)? else {
        return if first.len() > limit {
            Err(too_large())
        } else {
            Ok(first)
        };
    };
    let mut all = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(piece) = next {
        if all.len() + piece.len() > limit {
            return Err(too_large());
        }
        all.extend_from_slice(&piece);
        next = stream.next().await.transpose().map_err(broken)?;
    }
    Ok(all.freeze())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn broken(error: axum::Error) -> Problem {
    Problem::invalid(format!("the body broke off: {error}"))
}

/// The input of a guest: small ones stay here, large ones become a blob.
#[derive(Debug)]
pub enum Input {
    /// The bytes, few enough to be sent along.
    Inline(Bytes),
    /// Where they are.
    Blob(PutBlob),
}

/// Takes a body as the input of a guest; what is stored counts for `owner`.
///
/// # Errors
/// If it is too large, can't be stored, or the client breaks off.
pub async fn input(app: &App, owner: u64, body: Body) -> Result<Input, Problem> {
    if body.is_end_stream() {
        return Ok(Input::Inline(Bytes::new()));
    }
    let mut stream = body.into_data_stream();
    let mut small = BytesMut::new();
    while let Some(piece) = stream.next().await.transpose().map_err(broken)? {
        if small.len() + piece.len() <= app.limits.task.inline_bytes {
            if small.is_empty() {
                // Mostly the only piece: nothing is copied then.
                small = BytesMut::from(piece);
            } else {
                small.extend_from_slice(&piece);
            }
            continue;
        }
        let mut upload = app.store.blobs().upload();
        upload.write(&small).await?;
        upload.write(&piece).await?;
        let uploaded = rest(upload, stream).await?;
        let put = app
            .store
            .blobs()
            .keep_for_now(owner, uploaded, BlobKind::Data, None)
            .await?;
        return Ok(Input::Blob(put));
    }
    Ok(Input::Inline(small.freeze()))
}

async fn rest(
    mut upload: Upload,
    mut stream: axum::body::BodyDataStream,
) -> Result<Uploaded, Problem> {
    while let Some(piece) = stream.next().await.transpose().map_err(broken)? {
        upload.write(&piece).await?;
    }
    Ok(upload.finish().await?)
}

/// Takes a body as a blob that counts for `owner`: modules are checked, text becomes binary.
///
/// # Errors
/// If it is too large, can't be stored, is a module that can't run, or the
/// client breaks off.
pub async fn blob(app: &App, owner: u64, body: Body) -> Result<PutBlob, Problem> {
    let put = blob_for_now(app, owner, body).await?;
    app.store.blobs().make_durable(put.meta.digest).await?;
    Ok(put)
}

/// The same for what doesn't outlive the broker.
///
/// # Errors
/// As `blob`.
pub async fn blob_for_now(app: &App, owner: u64, body: Body) -> Result<PutBlob, Problem> {
    let blobs = app.store.blobs();
    let upload = blobs.upload();
    let uploaded = rest(upload, body.into_data_stream()).await?;
    let kind = match module::guess(&uploaded.head) {
        Guess::Data => BlobKind::Data,
        Guess::Archive => BlobKind::Archive,
        Guess::Wasm => {
            // What is there was checked when it came.
            let known = blobs.resolve(&uploaded.digest.to_string()).await;
            let known = known.and_then(|(meta, _pin)| meta.module.clone());
            let info = match known {
                Some(info) => info,
                None => {
                    let bytes = uploaded.bytes().await?;
                    check(uploaded.size, move || module::inspect(&bytes)).await?
                }
            };
            let kept = blobs.keep_for_now(owner, uploaded, BlobKind::Module, Some(info));
            return Ok(kept.await?);
        }
        Guess::Text => {
            let text = uploaded.bytes().await?;
            let assemble = move || {
                let binary = module::assemble(&text)?;
                let info = module::inspect(&binary)?;
                Ok((binary, info))
            };
            let (binary, info) = check(uploaded.size, assemble).await?;
            return Ok(blobs
                .put_for_now(owner, binary.into(), BlobKind::Module, Some(info))
                .await?);
        }
    };
    Ok(blobs.keep_for_now(owner, uploaded, kind, None).await?)
}

async fn check<T: Send + 'static>(
    size: u64,
    check: impl FnOnce() -> Result<T, module::ModuleError> + Send + 'static,
) -> Result<T, Problem> {
    if size <= CHECK_AT_ONCE {
        return Ok(check()?);
    }
    let checked = tokio::task::spawn_blocking(check).await;
    Ok(checked.map_err(|error| Problem::internal(error.to_string()))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(pieces: &'static [&'static str]) -> Body {
        let pieces = pieces
            .iter()
            .map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes())));
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_their_limit() {
        for (body, whole) in [
            (Body::empty(), ""),
            (Body::from("12345"), "12345"),
            (pieces(&["12", "345"]), "12345"),
            (pieces(&["1", "2", "3", "4", "5"]), "12345"),
        ] {
            assert_eq!(read(body, 5).await.unwrap(), whole);
        }
        for body in [
            Body::from("123456"),
            pieces(&["123456"]),
            pieces(&["12", "3456"]),
        ] {
            assert!(read(body, 5).await.is_err());
        }
    }
}
