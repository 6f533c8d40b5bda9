//! Errors as `application/problem+json` (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::driver::{QueueFull, SubmitError};
use crate::module::ModuleError;
use crate::store::StoreError;
use crate::task_request::RequestError;

/// Each code of a problem, its status, and what it means.
pub(super) const CODES: &[(&str, u16, &str)] = &[
    ("invalid-request", 400, "the request breaks a rule"),
    (
        "unauthorized",
        401,
        "a token is needed, or the one that came is unknown",
    ),
    (
        "forbidden",
        403,
        "the token is not for this, or the page is of another origin",
    ),
    ("unknown-blob", 404, "there is no such blob"),
    ("unknown-job", 404, "there is no such job"),
    ("not-found", 404, "there is nothing of that name"),
    ("method-not-allowed", 405, "the endpoint has other methods"),
    ("conflict", 409, "it contradicts what is there"),
    ("cancelled", 409, "the task was cancelled"),
    ("too-large", 413, "something is over a limit of size"),
    ("unsupported-media-type", 415, "the body is of another type"),
    (
        "range-not-satisfiable",
        416,
        "the part that is asked for isn't there",
    ),
    ("invalid-module", 422, "the module can't be run"),
    ("failed", 422, "the guest exited with another code than 0"),
    ("trapped", 422, "the guest trapped"),
    (
        "out-of-memory",
        422,
        "the guest asked for more memory than it may use",
    ),
    ("output-exceeded", 422, "the guest wrote too much"),
    ("disputed", 422, "providers gave different results"),
    ("too-many", 429, "there are too many of something at a time"),
    ("queue-full", 429, "as many tasks wait as the broker allows"),
    ("internal", 500, "the broker has a problem of its own"),
    ("no-capacity", 503, "the broker can't do it now"),
    ("storage-failed", 503, "the broker can't store anything now"),
    ("rejected", 503, "no provider in the pool can run the task"),
    ("lost", 503, "the providers that tried the task were lost"),
    ("timed-out", 504, "the guest ran over its time"),
    ("disk-full", 507, "the broker's disk is full"),
];

/// What is answered instead of what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    extra: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of that code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(
            CODES
                .iter()
                .any(|(known, of, _)| *known == code && *of == status),
            "{code} ({status}) must be in CODES, which clients read in the OpenAPI document"
        );
        Self {
            status,
            code,
            detail: detail.into(),
            extra: Map::new(),
            headers: Vec::new(),
        }
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Tells the client to try again after some seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    /// The request breaks a rule.
    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", detail)
    }

    /// There is no such blob.
    #[must_use]
    pub fn unknown_blob(reference: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-blob",
            format!("there is no blob {reference:?}"),
        )
    }

    /// There is no such job.
    #[must_use]
    pub fn unknown_job(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-job",
            format!("there is no job {id:?}"),
        )
    }

    /// There is nothing of that kind.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The endpoint has other methods.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let detail = "the endpoint doesn't have this method; the header Allow names those it has";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
    }

    /// It contradicts what is there.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// A body is over its limit.
    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// The broker has a problem of its own.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened, to which thing, and what to do.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Its headers, but for those of the document.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The same for who doesn't read documents: status, headers, and the detail
    /// as text.
    pub(super) fn into_text(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.detail)).into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn title(&self) -> String {
        let mut title = self.code.replace('-', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = Map::new();
        document.insert("type".to_owned(), json!("about:blank"));
        document.insert("title".to_owned(), json!(self.title()));
        document.insert("status".to_owned(), json!(self.status.as_u16()));
        document.insert("code".to_owned(), json!(self.code));
        document.insert("detail".to_owned(), json!(self.detail));
        document.extend(self.extra);
        let mut text = Value::Object(document).to_string();
        text.push('\n');
        let mut response = (self.status, text).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let detail = error.to_string();
        match error {
            RequestError::Invalid(_) => Self::invalid(detail),
            RequestError::UnknownBlob { .. } => {
                Self::new(StatusCode::NOT_FOUND, "unknown-blob", detail)
            }
            RequestError::TooLarge(_) => Self::too_large(detail),
            RequestError::NotAModule { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-module", detail)
            }
            RequestError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::BlobTooLarge { limit }
            | StoreError::Full { limit }
            | StoreError::OwnerFull { limit } => Self::too_large(detail).with("limit", limit),
            StoreError::KeyTaken(_) => Self::conflict(detail),
            StoreError::Io(error) => {
                tracing::error!(%error, "storage failed");
                Self::internal(detail)
            }
            StoreError::Damaged(_) => Self::internal(detail),
            StoreError::DiskFull(_) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", detail).retry_after(30)
            }
            StoreError::Database(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage-failed", detail).retry_after(5)
            }
            StoreError::Stopped => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-capacity", detail).retry_after(5)
            }
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::QueueFull(QueueFull { limit, .. }) => {
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "queue-full", detail);
                problem.with("limit", limit).retry_after(1)
            }
            SubmitError::Stopped => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-capacity", detail).retry_after(5)
            }
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<ModuleError> for Problem {
    fn from(error: ModuleError) -> Self {
        let detail = error.to_string();
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-module", detail);
        match error {
            ModuleError::Text { line, column, .. } => {
                problem.with("line", line).with("column", column)
            }
            ModuleError::Invalid { offset, .. } => problem.with("offset", offset),
            ModuleError::Import { module, name, .. } => {
                problem.with("import", format!("{module}.{name}"))
            }
            ModuleError::Component | ModuleError::Start(_) => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_is_a_document_of_its_own_type() {
        let problem = Problem::from(StoreError::BlobTooLarge { limit: 7 }).retry_after(3);
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let document: Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({
            "type": "about:blank", "title": "Too large", "status": 413, "code": "too-large",
            "detail": "a blob may have 7 bytes at most", "limit": 7,
        });
        assert_eq!(document, expected);
    }
}
