//! `/v1/blobs`: content and its names.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::api::{self, Page};
use wasipool_shared::digest::Digest;

use super::auth::Caller;
use super::download::Download;
use super::openapi::{Binary, Denied, Invalid, NoBlob, Range, Upload};
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
#[utoipa::path(
    put,
    path = "/v1/blobs/{ref}",
    tag = "blobs",
    summary = "Store content under a name",
    description = "Text of a module (WAT) is stored as its binary. A name that is there already moves to the new content.",
    params(("ref" = String, Path, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", description = "The name.")),
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The name had this content before.", body = api::Blob),
        (status = 201, description = "It is new.", body = api::Blob, headers(("location" = String))),
        Denied, Invalid, Upload,
    )
)]
pub async fn put(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    params: Params,
    content: Body,
) -> Result<Response, Problem> {
    params.only(&[])?;
    check_name(&name)?;
    let put = body::blob(&app, caller.number(), content).await?;
    let new = app.store.blobs().name(&name, put.meta.digest).await?;
    Ok(created(
        new,
        view::blob(Some(name), &put.meta, app.clock.unix_ms()),
    ))
}

/// `PUT /v1/blobs/`: `curl -T file http://…/v1/blobs/` adds the file's name
/// itself; this is for clients that don't, and for `curl -T -`.
///
/// # Errors
/// Always.
#[utoipa::path(
    put,
    path = "/v1/blobs/",
    tag = "blobs",
    summary = "Refused: the name is missing",
    description = "`curl -T FILE` adds the name of the file; what comes without one is for `POST`.",
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(Denied, Invalid)
)]
pub async fn put_without_name() -> Result<Response, Problem> {
    Err(Problem::invalid(
        "the name is missing: PUT /v1/blobs/{name}, or POST /v1/blobs without one",
    ))
}

/// `POST /v1/blobs`.
///
/// # Errors
/// If the content isn't accepted.
#[utoipa::path(
    post,
    path = "/v1/blobs",
    tag = "blobs",
    summary = "Store content without a name",
    description = "It is found by its digest as long as something needs it or there is room.",
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The content was there before.", body = api::Blob),
        (status = 201, description = "It is new.", body = api::Blob, headers(("location" = String))),
        Denied, Invalid, Upload,
    )
)]
pub async fn post(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    content: Body,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let put = body::blob(&app, caller.number(), content).await?;
    Ok(created(
        put.new,
        view::blob(None, &put.meta, put.meta.created_unix_ms),
    ))
}

/// `POST /v1/blobs/`: the same.
///
/// # Errors
/// If the content isn't accepted.
#[utoipa::path(
    post,
    path = "/v1/blobs/",
    tag = "blobs",
    summary = "Store content without a name",
    description = "The same as without the slash.",
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The content was there before.", body = api::Blob),
        (status = 201, description = "It is new.", body = api::Blob, headers(("location" = String))),
        Denied, Invalid, Upload,
    )
)]
pub async fn post_with_slash(
    app: State<App>,
    caller: Caller,
    params: Params,
    content: Body,
) -> Result<Response, Problem> {
    post(app, caller, params, content).await
}

/// `GET /v1/blobs`.
///
/// # Errors
/// If the query isn't understood.
#[utoipa::path(
    get,
    path = "/v1/blobs",
    tag = "blobs",
    summary = "List names",
    description = "In their order.",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Items of a page; 100 if nothing is said."),
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses((status = 200, description = "A page.", body = Page<api::Blob>), Denied, Invalid)
)]
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
#[utoipa::path(
    get,
    path = "/v1/blobs/{ref}",
    tag = "blobs",
    summary = "Get content",
    description = "What is asked for by its digest may be cached for ever.",
    params(
        ("ref" = String, Path, min_length = 1, description = "A name or a digest."),
        ("range" = Option<String>, Header, description = "A part, as in RFC 9110: `bytes=0-99`."),
        ("if-none-match" = Option<String>, Header, description = "Tags of content that is known already."),
    ),
    responses(
        (status = 200, description = "The content; `application/wasm` if it is a module.",
            content((Binary = "application/octet-stream"), (Binary = "application/wasm")),
            headers(("etag" = String, description = "The digest of the content."))),
        (status = 206, description = "The part that was asked for.",
            content((Binary = "application/octet-stream"), (Binary = "application/wasm")),
            headers(("content-range" = String))),
        (status = 304, description = "The content is one that the client knows."),
        Denied, NoBlob, Range,
    )
)]
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
#[utoipa::path(
    delete,
    path = "/v1/blobs/{ref}",
    tag = "blobs",
    summary = "Delete a name",
    description = "The content stays as long as something needs it.",
    params(("ref" = String, Path, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", description = "The name.")),
    responses((status = 204, description = "The name is gone."), Denied, Invalid, NoBlob)
)]
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
