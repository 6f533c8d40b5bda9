//! `/api/storage`: content by its name or digest, modules and zips only.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Text;
use super::responses::{TextGet, TextUploadOfType};
use crate::http::auth::Caller;
use crate::http::download::Download;
use crate::http::openapi::Binary;
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
#[utoipa::path(
    post,
    path = "/api/storage/upload",
    tag = "earlier",
    summary = "Store a module or a zip",
    description = "Modules are checked; what is sent as a zip may be anything.",
    params(("name" = Option<String>, Query, max_length = 128, pattern = "^([A-Za-z0-9_-][A-Za-z0-9._-]*)?$", description = "A name for it.")),
    request_body(content((Binary = "application/wasm"), (Binary = "application/zip"))),
    responses(
        (status = 200, description = "The digest.", content_type = "text/plain", body = String,
            headers(("x-wasimoff-ref" = String, description = "The digest."))),
        TextUploadOfType,
    )
)]
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
#[utoipa::path(
    get,
    path = "/api/storage/{ref}",
    tag = "earlier",
    summary = "Get content",
    description = "By a name or a digest.",
    params(
        ("ref" = String, Path, min_length = 1, description = "A name or a digest."),
        ("range" = Option<String>, Header, description = "A part, as in RFC 9110: `bytes=0-99`."),
        ("if-none-match" = Option<String>, Header, description = "Tags of content that is known already."),
    ),
    responses(
        (status = 200, description = "The content.",
            content((Binary = "application/octet-stream"), (Binary = "application/wasm"), (Binary = "application/zip")),
            headers(("x-wasimoff-ref" = String, description = "The digest."), ("etag" = String, description = "The digest, as a tag."))),
        (status = 206, description = "The part that was asked for.",
            content((Binary = "application/octet-stream"), (Binary = "application/wasm"), (Binary = "application/zip")),
            headers(("x-wasimoff-ref" = String, description = "The digest."), ("content-range" = String))),
        (status = 304, description = "The content is one that the client knows."),
        TextGet,
    )
)]
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
