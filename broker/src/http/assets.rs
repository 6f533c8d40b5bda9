//! The page, embedded in the program.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::digest::Digest;

use super::{App, Problem};

/// A file of the page, as it is and compressed.
struct File {
    name: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// What the build script made of the page's files.
mod built {
    use super::File;

    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

struct Asset {
    file: &'static File,
    digest: String,
}

static ASSETS: LazyLock<HashMap<&str, Asset>> = LazyLock::new(|| {
    let asset = |file: &'static File| {
        let digest = Digest::of(file.plain).hex();
        (file.name, Asset { file, digest })
    };
    built::FILES.iter().map(asset).collect()
});

/// Where guests run: that worker has no more than its own code. It is the policy
/// of a worker's script that counts in the worker.
const GUEST_WORKER: &str = "guest-worker.js";
const GUEST_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";

/// Scripts and wasm only from here; connections only to here and, by
/// WebTransport, to where the broker announces: `transport` is that address.
fn policy(transport: &str) -> String {
    let origin = transport.parse::<Uri>().ok().and_then(|url| {
        let authority = url.authority()?;
        Some(format!(" https://{authority}"))
    });
    let origin = origin.unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         connect-src 'self'{origin}; worker-src 'self'; img-src 'self' data:; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    )
}

/// What a browser must know of each file of the page. The first two let the
/// page have precise clocks and shared memory.
const HEADERS: [(header::HeaderName, &str); 5] = [
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
    (header::VARY, "Accept-Encoding"),
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

/// Whether the value of `Accept-Encoding` allows `coding`.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut offers = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    offers.any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|weight| weight.parse().is_ok_and(|weight: f32| weight <= 0.0));
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

/// The smallest form that the client takes, and what that is called.
fn form(file: &'static File, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    let coded = [("br", file.brotli), ("gzip", file.gzip)];
    let usable = coded
        .into_iter()
        .find(|(coding, bytes)| bytes.len() < file.plain.len() && accepts(headers, coding));
    usable.map_or((file.plain, None), |(coding, bytes)| (bytes, Some(coding)))
}

/// Whether the client has what `tag` stands for.
fn known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tags.any(|known| known.trim().trim_start_matches("W/") == tag)
}

/// The file at `path`, and whether that address never stands for another one.
fn find(path: &str) -> Option<(&'static Asset, bool)> {
    let (name, fixed) = match path {
        "/" => ("index.html", false),
        "/join" => ("join.html", false),
        path => match path
            .strip_prefix("/~")
            .and_then(|path| path.split_once('/'))
        {
            Some((built::VERSION, name)) => (name, true),
            Some(_) => return None,
            None => (path.trim_start_matches('/'), false),
        },
    };
    // `/jobs/<id>`: one page for all, which reads its address.
    let job = path
        .strip_prefix("/jobs/")
        .is_some_and(|id| !id.is_empty() && !id.contains('/'));
    let name = if job { "job.html" } else { name };
    ASSETS.get(name).map(|asset| (asset, fixed))
}

/// Whatever no endpoint has: a file of the page, or nothing.
///
/// # Errors
/// If there is no such file.
pub async fn serve(
    State(app): State<App>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&method, &uri, &headers, &app.transport.current().url)
}

fn answer(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    transport: &str,
) -> Result<Response, Problem> {
    let found = find(uri.path()).filter(|_| matches!(*method, Method::GET | Method::HEAD));
    let Some((asset, fixed)) = found else {
        return Err(Problem::not_found(format!(
            "there is nothing at {method} {}",
            uri.path()
        )));
    };
    let (bytes, coding) = form(asset.file, headers);
    let coded = coding.unwrap_or_default();
    let (policy, tag) = if asset.file.name == GUEST_WORKER || fixed {
        (
            GUEST_POLICY.to_owned(),
            format!("\"{}{coded}\"", asset.digest),
        )
    } else {
        // Browsers keep the policy of an answer that is still good: so it isn't
        // when the policy is another.
        let policy = policy(transport);
        let mark = &Digest::of(policy.as_bytes()).hex()[..8];
        (policy, format!("\"{}{mark}{coded}\"", asset.digest))
    };
    let mut response = if known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        bytes.into_response()
    };
    let sent = response.headers_mut();
    for (name, value) in HEADERS {
        sent.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::try_from(policy) {
        sent.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let kind = content_type(asset.file.name);
    sent.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(coding) = coding {
        sent.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        sent.insert(header::ETAG, tag);
    }
    let keep = if fixed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    sent.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSPORT: &str = "https://127.0.0.1:4443/wasipool";

    #[tokio::test]
    async fn a_page_connects_only_to_its_broker_and_a_guest_to_nobody() {
        let policy = |response: Response| {
            let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
            policy.to_str().unwrap().to_owned()
        };
        for path in ["/join", "/session-worker.js"] {
            let response = get(path, &[]).await.unwrap();
            let tag = response.headers()[header::ETAG]
                .to_str()
                .unwrap()
                .to_owned();
            let ours = policy(response);
            assert!(
                ours.contains("connect-src 'self' https://127.0.0.1:4443;"),
                "{ours}"
            );
            assert!(!ours.contains("unsafe-inline"), "{ours}");
            let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.parse().unwrap())]);
            for (transport, status) in [
                (TRANSPORT, StatusCode::NOT_MODIFIED),
                ("https://127.0.0.1:5555/wasipool", StatusCode::OK),
            ] {
                let uri = path.parse().unwrap();
                let again = answer(&Method::GET, &uri, &known, transport).unwrap();
                assert_eq!(again.status(), status, "{path} {transport}");
            }
        }
        let guest = policy(get("/guest-worker.js", &[]).await.unwrap());
        assert!(!guest.contains("connect-src"), "{guest}");
        assert!(guest.starts_with("default-src 'none';"), "{guest}");
    }

    async fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> Result<Response, Problem> {
        let header = |(name, value): &(header::HeaderName, &str)| {
            (name.clone(), HeaderValue::from_str(value).unwrap())
        };
        let headers = headers.iter().map(header).collect();
        let uri = path.parse().unwrap();
        answer(&Method::GET, &uri, &headers, TRANSPORT)
    }

    async fn body(response: Response) -> Vec<u8> {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        bytes.unwrap().to_vec()
    }

    #[tokio::test]
    async fn files_have_their_type_and_tag() {
        for file in built::FILES {
            let path = format!("/{}", file.name);
            let response = get(&path, &[]).await.unwrap();
            let headers = response.headers();
            assert_eq!(headers[header::CONTENT_TYPE], content_type(file.name));
            assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
            assert!(!headers.contains_key(header::CONTENT_ENCODING));
            let tag = headers[header::ETAG].to_str().unwrap().to_owned();
            assert_eq!(body(response).await, file.plain);
            let tags = format!("\"other\", W/{tag}");
            for known in [&tag, &tags] {
                let again = get(&path, &[(header::IF_NONE_MATCH, known)]).await.unwrap();
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            }
        }
    }

    #[tokio::test]
    async fn the_client_says_how_files_are_compressed() {
        let file = built::FILES
            .iter()
            .max_by_key(|file| file.plain.len())
            .unwrap();
        let path = format!("/{}", file.name);
        let sent = async |accepted| {
            let response = get(&path, &[(header::ACCEPT_ENCODING, accepted)])
                .await
                .unwrap();
            let coding = response.headers().get(header::CONTENT_ENCODING).cloned();
            let coding = coding.map(|coding| coding.to_str().unwrap().to_owned());
            (coding, body(response).await)
        };
        let of = |coding: &str, bytes: &[u8]| (Some(coding.to_owned()), bytes.to_vec());
        assert_eq!(sent("gzip, deflate, br").await, of("br", file.brotli));
        assert_eq!(sent("GZIP;q=0.5, br;q=0").await, of("gzip", file.gzip));
        for plain in ["identity", "gzip;q=0.0", "zstd, bread"] {
            assert_eq!(sent(plain).await, (None, file.plain.to_vec()), "{plain}");
        }
    }

    #[tokio::test]
    async fn addresses_with_the_version_are_kept_for_ever() {
        let cached = async |path: &str| {
            let response = get(path, &[]).await.ok()?;
            Some(
                response.headers()[header::CACHE_CONTROL]
                    .to_str()
                    .unwrap()
                    .to_owned(),
            )
        };
        let fixed = cached(&format!("/~{}/style.css", built::VERSION))
            .await
            .unwrap();
        assert!(fixed.contains("immutable"), "{fixed}");
        for path in ["/", "/join", "/style.css"] {
            assert_eq!(cached(path).await.as_deref(), Some("no-cache"), "{path}");
        }
        assert_eq!(cached("/~0123/style.css").await, None, "of another version");
        let page = String::from_utf8(body(get("/", &[]).await.unwrap()).await).unwrap();
        assert!(page.contains(&format!("\"/~{}/style.css\"", built::VERSION)));
    }

    #[tokio::test]
    async fn each_job_has_the_same_page() {
        let page = get("/jobs/01k", &[]).await.unwrap();
        assert_eq!(page.headers()[header::CONTENT_TYPE], content_type("x.html"));
        for path in ["/jobs/", "/jobs/01k/tasks"] {
            assert!(get(path, &[]).await.is_err(), "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_problem() {
        for path in ["/nope", "/../Cargo.toml", "/v1/nope"] {
            let problem = get(path, &[]).await.unwrap_err();
            assert_eq!(
                problem.into_response().status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }
}
