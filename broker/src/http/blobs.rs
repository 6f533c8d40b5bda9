//! `/v1/blobs`: content and its names.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::api::{self, Page};
use wasipool_shared::digest::Digest;

use super::download::Download;
use super::params::{Params, PathOf};
use super::{App, Problem, body};
use crate::module::BlobKind;
use crate::store::BlobMeta;
use crate::view;

/// Characters of a name.
const NAME_MAX: usize = 128;

/// Checks a name that is to be given.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.') {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "{name:?} can't be a blob's name: 1 to {NAME_MAX} of A-Z a-z 0-9 . _ -, not starting with a dot"
    )))
}

fn created(new: bool, blob: api::Blob) -> Response {
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let location = format!(
        "/v1/blobs/{}",
        blob.name.clone().unwrap_or_else(|| blob.digest.to_string())
    );
    (status, [(header::LOCATION, location)], Json(blob)).into_response()
}

/// `PUT /v1/blobs/{name}`.
///
/// # Errors
/// If name or content aren't accepted.
pub async fn put(
    State(app): State<App>,
    PathOf(name): PathOf<String>,
    params: Params,
    content: Body,
) -> Result<Response, Problem> {
    params.only(&[])?;
    check_name(&name)?;
    let put = body::blob(&app, content).await?;
    let new = app.store.blobs().name(&name, put.meta.digest).await?;
    Ok(created(
        new,
        view::blob(Some(name), &put.meta, app.clock.unix_ms()),
    ))
}

/// `PUT /v1/blobs/`: what a client sends that doesn't add a file's name.
///
/// # Errors
/// Always.
pub async fn put_without_name() -> Result<Response, Problem> {
    Err(Problem::invalid(
        "the name is missing: PUT /v1/blobs/{name}, or POST /v1/blobs without one",
    ))
}

/// `POST /v1/blobs`.
///
/// # Errors
/// If the content isn't accepted.
pub async fn post(
    State(app): State<App>,
    params: Params,
    content: Body,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let put = body::blob(&app, content).await?;
    Ok(created(
        put.new,
        view::blob(None, &put.meta, put.meta.created_unix_ms),
    ))
}

/// `GET /v1/blobs`.
///
/// # Errors
/// If the query isn't understood.
pub async fn list(
    State(app): State<App>,
    params: Params,
) -> Result<Json<Page<api::Blob>>, Problem> {
    params.only(&["limit", "cursor"])?;
    let page = app
        .store
        .blobs()
        .list(params.one("cursor")?, params.limit()?)
        .await;
    let item =
        |item: crate::store::NamedBlob| view::blob(Some(item.name), &item.meta, item.named_unix_ms);
    Ok(Json(Page {
        items: page.items.into_iter().map(item).collect(),
        next: page.next,
    }))
}

/// `GET|HEAD /v1/blobs/{ref}`.
///
/// # Errors
/// If there is no such blob.
pub async fn get(
    State(app): State<App>,
    PathOf(reference): PathOf<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = app.store.blobs().resolve(&reference).await;
    let (meta, _pin) = found.ok_or_else(|| Problem::unknown_blob(&reference))?;
    let content = app.store.blob(meta.digest).await;
    let content = content.ok_or_else(|| Problem::internal("the blob's content can't be read"))?;
    let by_digest = reference.parse::<Digest>().is_ok();
    let caching = if by_digest {
        "private, max-age=31536000, immutable"
    } else {
        "private, no-cache"
    };
    let name = if by_digest {
        meta.digest.hex()
    } else {
        reference
    };
    let download = Download {
        content,
        digest: meta.digest,
        content_type: content_type(&meta),
        caching,
        name: &name,
    };
    download.answer(&headers)
}

fn content_type(meta: &BlobMeta) -> &'static str {
    match meta.kind {
        BlobKind::Module => "application/wasm",
        BlobKind::Archive | BlobKind::Data => "application/octet-stream",
    }
}

/// `DELETE /v1/blobs/{name}`.
///
/// # Errors
/// If there is no such name.
pub async fn delete(
    State(app): State<App>,
    PathOf(name): PathOf<String>,
) -> Result<StatusCode, Problem> {
    if name.parse::<Digest>().is_ok() {
        let detail =
            "only names are deleted; content goes when nothing needs it and room is wanted";
        return Err(Problem::invalid(detail));
    }
    if app.store.blobs().delete_name(&name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::unknown_blob(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "tsp.wasm", "A-_.9", &"x".repeat(128)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".x", "a/b", "sha256:0", "ä", "a b", &"x".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
