//! The page, embedded in the program.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::digest::Digest;

use super::Problem;

/// Name and content of each file of the page.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

struct Asset {
    content: &'static [u8],
    content_type: &'static str,
    tag: HeaderValue,
}

static ASSETS: LazyLock<HashMap<&str, Asset>> = LazyLock::new(|| {
    let asset = |(name, content): &(&'static str, &'static [u8])| {
        let tag = HeaderValue::try_from(format!("\"{}\"", Digest::of(content).hex())).ok()?;
        Some((
            *name,
            Asset {
                content,
                content_type: content_type(name),
                tag,
            },
        ))
    };
    FILES.iter().filter_map(asset).collect()
});

/// Scripts and wasm only from here; connections only to here and, by
/// WebTransport, to where the broker announces.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    connect-src 'self' https:; worker-src 'self'; img-src 'self' data:; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// What a browser must know of each file of the page. The middle two let the
/// page have precise clocks and shared memory.
const HEADERS: [(header::HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        header::HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
    (
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// Whatever no endpoint has: a file of the page, or nothing.
///
/// # Errors
/// If there is no such file.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let name = match uri.path() {
        "/" => "index.html",
        "/join" => "join.html",
        path => path.trim_start_matches('/'),
    };
    let found = ASSETS
        .get(name)
        .filter(|_| matches!(method, Method::GET | Method::HEAD));
    let Some(asset) = found else {
        return Err(Problem::not_found(format!(
            "there is nothing at {method} {}",
            uri.path()
        )));
    };
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|tag| tag == asset.tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.content.into_response()
    };
    let fixed = response.headers_mut();
    fixed.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    fixed.insert(header::ETAG, asset.tag.clone());
    for (name, value) in HEADERS {
        fixed.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_have_their_type_and_tag() {
        let (name, content) = FILES.first().expect("the page has a file");
        let get =
            async |headers| serve(Method::GET, format!("/{name}").parse().unwrap(), headers).await;
        let response = get(HeaderMap::new()).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], content_type(name));
        assert!(
            response
                .headers()
                .contains_key(header::CONTENT_SECURITY_POLICY)
        );
        let tag = response.headers()[header::ETAG].clone();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        assert_eq!(body, *content);
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag)]);
        assert_eq!(
            get(headers).await.unwrap().status(),
            StatusCode::NOT_MODIFIED
        );
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_problem() {
        for path in ["/nope", "/../Cargo.toml", "/v1/nope"] {
            let uri = path.parse().unwrap();
            let problem = serve(Method::GET, uri, HeaderMap::new()).await.unwrap_err();
            assert_eq!(
                problem.into_response().status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }
}
