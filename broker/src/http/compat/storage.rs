//! `/api/storage`: content by its name or digest, modules and zips only.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Text;
use crate::http::auth::Caller;
use crate::http::download::Download;
use crate::http::params::{Params, PathOf};
use crate::http::{App, Problem, body};
use crate::module::BlobKind;
use crate::store::BlobMeta;

/// What the earlier system says of other media types.
pub(super) const UNSUPPORTED: &str = "unsupported filetype";

/// The header that names the digest.
const REF: HeaderName = HeaderName::from_static("x-wasimoff-ref");

/// Whether content of that media type is taken; parameters don't count.
pub(super) fn is_accepted(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim();
    ["application/wasm", "application/zip"]
        .iter()
        .any(|accepted| media.eq_ignore_ascii_case(accepted))
}

/// `POST /api/storage/upload?name=…`: the reply is the digest.
pub(super) async fn upload(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Text> {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok());
    if !media.is_some_and(is_accepted) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported-media-type", UNSUPPORTED).into());
    }
    let name = params.one("name")?.filter(|name| !name.is_empty());
    let put = body::blob(&app, caller.number(), content).await?;
    let digest = super::name(&app, name, &put).await?.to_string();
    let mut response = format!("{digest}\n").into_response();
    add_ref(&mut response, &digest);
    Ok(response)
}

/// `GET /api/storage/{ref}`.
pub(super) async fn get(
    State(app): State<App>,
    PathOf(reference): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Text> {
    let missing = || {
        let detail = "File not Found in storage";
        Problem::new(StatusCode::NOT_FOUND, "unknown-blob", detail)
    };
    let found = app.store.blobs().resolve(&reference).await;
    let (meta, _pin) = found.ok_or_else(missing)?;
    let content = app.store.blob(meta.digest).await.ok_or_else(missing)?;
    let download = Download {
        content_type: media(&meta, &content),
        content,
        digest: meta.digest,
        caching: "private, no-cache",
        name: &reference,
    };
    let mut response = download.answer(&headers)?;
    add_ref(&mut response, &meta.digest.to_string());
    Ok(response)
}

fn add_ref(response: &mut Response, digest: &str) {
    if let Ok(digest) = HeaderValue::try_from(digest) {
        response.headers_mut().insert(REF, digest);
    }
}

fn media(meta: &BlobMeta, content: &[u8]) -> &'static str {
    match meta.kind {
        BlobKind::Module => "application/wasm",
        BlobKind::Archive if content.starts_with(b"PK") => "application/zip",
        BlobKind::Archive | BlobKind::Data => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_zips_are_taken() {
        for media in [
            "application/wasm",
            "application/zip",
            "Application/WASM ; v=1",
        ] {
            assert!(is_accepted(media), "{media}");
        }
        for media in ["", "text/plain", "application/zip2", "application/x-zip"] {
            assert!(!is_accepted(media), "{media}");
        }
    }
}
