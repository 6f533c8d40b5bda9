//! Bytes for who asks for them: whole or in parts, again only if they are others,
//! and never as a page of this origin.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use wasipool_shared::digest::Digest;

use super::Problem;
use super::range::{Selected, select};

/// Guests' bytes come from the same origin as the page: whatever they are, a
/// browser that shows them gives them no rights.
pub(super) const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Stored bytes and what a client must know of them.
#[derive(Debug)]
pub(super) struct Download<'a> {
    pub(super) content: Bytes,
    pub(super) digest: Digest,
    pub(super) content_type: &'static str,
    /// `Cache-Control`.
    pub(super) caching: &'static str,
    /// The name under which a browser saves it.
    pub(super) name: &'a str,
}

impl Download<'_> {
    /// All of it, or what the request asks for.
    ///
    /// # Errors
    /// If the request asks for a part that isn't there.
    pub(super) fn answer(self, request: &HeaderMap) -> Result<Response, Problem> {
        let tag = format!("\"{}\"", self.digest);
        let text = |name| request.get(name).and_then(|value| value.to_str().ok());
        let matches = |tags: &str| {
            tags.split(',')
                .map(str::trim)
                .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
        };
        let size = self.content.len();
        let mut response = if text(header::IF_NONE_MATCH).is_some_and(matches) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            // A part of what it was before is of no use.
            let same = text(header::IF_RANGE).is_none_or(|known| known == tag);
            match select(text(header::RANGE).filter(|_| same), size) {
                Selected::All => self.content.into_response(),
                Selected::Part(range) => {
                    let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                    let part = self.content.slice(range);
                    let headers = [(header::CONTENT_RANGE, shown)];
                    (StatusCode::PARTIAL_CONTENT, headers, part).into_response()
                }
                Selected::Nothing => return Err(not_there(size)),
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        let content_type = HeaderValue::from_static(self.content_type);
        headers.insert(header::CONTENT_TYPE, content_type);
        let caching = HeaderValue::from_static(self.caching);
        headers.insert(header::CACHE_CONTROL, caching);
        to_be_saved(headers, self.name);
        Ok(response)
    }
}

/// Marks an answer as something to be saved under a name, not to be shown.
pub(super) fn to_be_saved(headers: &mut HeaderMap, name: &str) {
    if let Ok(disposition) = HeaderValue::try_from(disposition(name)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
}

fn not_there(size: usize) -> Problem {
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let detail = format!("the range lies beyond the {size} bytes that there are");
    let problem = Problem::new(status, "range-not-satisfiable", detail);
    match HeaderValue::try_from(format!("bytes */{size}")) {
        Ok(range) => problem.with_header(header::CONTENT_RANGE, range),
        Err(_) => problem,
    }
}

/// `Content-Disposition` (RFC 6266), with the whole name in UTF-8 where it isn't
/// plain.
fn disposition(name: &str) -> String {
    use std::fmt::Write as _;

    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
    let ascii: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let mut text = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        text.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &str) -> Result<Response, Problem> {
        let content = Bytes::from_static(b"0123456789");
        let download = Download {
            digest: Digest::of(&content),
            content,
            content_type: "application/octet-stream",
            caching: "no-cache",
            name: "x",
        };
        let value = HeaderValue::try_from(value).unwrap();
        download.answer(&HeaderMap::from_iter([(name, value)]))
    }

    #[test]
    fn parts_and_tags_are_honoured() {
        let part = with(header::RANGE, "bytes=2-3").unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-3/10");
        let beyond = with(header::RANGE, "bytes=10-")
            .unwrap_err()
            .into_response();
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(beyond.headers()[header::CONTENT_RANGE], "bytes */10");
        let tag = format!("\"{}\"", Digest::of(b"0123456789"));
        for (tags, status) in [
            (tag.clone(), StatusCode::NOT_MODIFIED),
            (format!("\"x\", W/{tag}"), StatusCode::NOT_MODIFIED),
            ("\"other\"".to_owned(), StatusCode::OK),
        ] {
            let answer = with(header::IF_NONE_MATCH, &tags).unwrap();
            assert_eq!(answer.status(), status, "{tags}");
            assert_eq!(answer.headers()[header::ETAG], tag.as_str());
        }
    }

    #[test]
    fn what_a_guest_wrote_is_no_page() {
        let answer = with(header::ACCEPT, "text/html").unwrap();
        let shown = &answer.headers()[header::CONTENT_DISPOSITION];
        assert_eq!(shown, "attachment; filename=\"x\"");
        assert_eq!(answer.headers()[header::CONTENT_SECURITY_POLICY], SANDBOX);
        assert_eq!(
            disposition("a \"b\"\r\n;ü"),
            "attachment; filename=\"a _b_____\"; \
             filename*=UTF-8''a%20%22b%22%0D%0A%3B%C3%BC"
        );
    }
}
