//! Connect's errors.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::http::Problem;

/// The kinds of error that the broker gives, of Connect's sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::compat) enum Code {
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    Unimplemented,
    Internal,
    Unavailable,
    Unauthenticated,
}

impl Code {
    /// All of them, for the OpenAPI document.
    pub(in crate::http::compat) const ALL: [Self; 10] = [
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::Unauthenticated,
    ];

    /// As it stands in an error.
    pub(in crate::http::compat) fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    /// Connect's table of statuses.
    pub(in crate::http::compat) fn status(self) -> StatusCode {
        match self {
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
        }
    }

    /// The code for a problem of that status.
    pub(in crate::http::compat) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 405 | 415 | 422 => Self::InvalidArgument,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            409 => Self::AlreadyExists,
            413 | 429 => Self::ResourceExhausted,
            503 => Self::Unavailable,
            504 => Self::DeadlineExceeded,
            _ => Self::Internal,
        }
    }
}

/// What is answered instead of a message: JSON, whatever the messages are in.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http::compat) struct ConnectError {
    pub(in crate::http::compat) code: Code,
    pub(in crate::http::compat) message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ConnectError {
    pub(in crate::http::compat) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            headers: Vec::new(),
        }
    }
}

impl<E: Into<Problem>> From<E> for ConnectError {
    fn from(error: E) -> Self {
        let problem = error.into();
        let mut error = Self::new(Code::of(problem.status()), problem.detail());
        error.headers = problem.headers().to_vec();
        error
    }
}

impl IntoResponse for ConnectError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Document {
            code: &'static str,
            message: String,
        }
        let document = Document {
            code: self.code.name(),
            message: self.message,
        };
        let mut response = (self.code.status(), Json(document)).into_response();
        response.headers_mut().extend(self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[tokio::test]
    async fn problems_become_errors_of_the_protocol() {
        for (status, named, code, text) in [
            (
                400,
                "invalid-request",
                Code::InvalidArgument,
                "invalid_argument",
            ),
            (
                401,
                "unauthorized",
                Code::Unauthenticated,
                "unauthenticated",
            ),
            (
                403,
                "forbidden",
                Code::PermissionDenied,
                "permission_denied",
            ),
            (404, "unknown-job", Code::NotFound, "not_found"),
            (
                429,
                "queue-full",
                Code::ResourceExhausted,
                "resource_exhausted",
            ),
            (503, "no-capacity", Code::Unavailable, "unavailable"),
            (
                504,
                "timed-out",
                Code::DeadlineExceeded,
                "deadline_exceeded",
            ),
            (500, "internal", Code::Internal, "internal"),
        ] {
            let problem = Problem::new(StatusCode::from_u16(status).unwrap(), named, "why");
            let error = ConnectError::from(problem.retry_after(7));
            assert_eq!(error.code, code);
            let response = error.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
            assert_eq!(response.headers()[header::RETRY_AFTER], "7");
            let body = axum::body::to_bytes(response.into_body(), 1_000)
                .await
                .unwrap();
            let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                document,
                serde_json::json!({"code": text, "message": "why"})
            );
        }
        // Too large is one of the resources that are exhausted.
        let error = ConnectError::from(Problem::too_large("x")).into_response();
        assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
    }
}
