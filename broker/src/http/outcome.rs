//! The answer to a client that waits for its one task.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use wasipool_shared::ids::TaskId;

use super::Problem;
use super::download::SANDBOX;
use crate::store::{TaskRecord, TaskState};
use crate::view;

/// Bytes of stderr, from its end, that a problem document holds.
const STDERR_SHOWN_MAX: usize = 64 * 1024;

/// How the client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The result as JSON instead of stdout.
    pub(super) json: bool,
    /// A guest that exits with another code than 0 is an error.
    pub(super) fail: bool,
}

/// The answer for how a task ended.
pub(super) fn answer(id: TaskId, record: TaskRecord, wanted: Wanted) -> Response {
    let headers = headers(id, &record);
    let mut response = match refusal(&record, wanted.fail) {
        Some((status, code)) => problem(id, record, status, code, wanted.json).into_response(),
        None if wanted.json => Json(view::task(id, record, view::Outputs::Alone)).into_response(),
        None => {
            let kind = HeaderValue::from_static("application/octet-stream");
            let mut response = record.stdout.into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            let policy = header::CONTENT_SECURITY_POLICY;
            response.headers_mut().insert(policy, SANDBOX);
            response
        }
    };
    response.headers_mut().extend(headers);
    response
}

/// Status and code of an outcome that is no answer.
pub(super) fn refusal(record: &TaskRecord, fail: bool) -> Option<(StatusCode, &'static str)> {
    const FAILED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    Some(match record.state {
        TaskState::Succeeded => return None,
        TaskState::Failed if !fail => return None,
        TaskState::Failed => (FAILED, "failed"),
        TaskState::Trapped => (FAILED, "trapped"),
        TaskState::OutOfMemory => (FAILED, "out-of-memory"),
        TaskState::OutputExceeded => (FAILED, "output-exceeded"),
        TaskState::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timed-out"),
        TaskState::Rejected => (UNAVAILABLE, "rejected"),
        TaskState::Lost => (UNAVAILABLE, "lost"),
        TaskState::Disputed => (FAILED, "disputed"),
        TaskState::Cancelled => (StatusCode::CONFLICT, "cancelled"),
    })
}

/// How a task ended, in words.
pub(super) fn detail(record: &TaskRecord) -> String {
    let reason = record.reason.as_deref().unwrap_or_default();
    let code = record.exit_code.unwrap_or_default();
    match record.state {
        TaskState::Succeeded | TaskState::Failed => format!("the guest exited with code {code}"),
        TaskState::Trapped => format!("the guest trapped: {reason}"),
        TaskState::OutOfMemory => {
            "the guest asked for more memory than it may use (`memory` raises that)".to_owned()
        }
        TaskState::OutputExceeded => {
            format!("the guest wrote too much: {reason} (`output` raises that)")
        }
        TaskState::TimedOut => "the guest ran over its time (`timeout` raises that)".to_owned(),
        TaskState::Rejected => format!("no provider in the pool can run it: {reason}"),
        TaskState::Lost => format!("the providers that tried were lost: {reason}"),
        TaskState::Disputed => format!("providers gave different results: {reason}"),
        TaskState::Cancelled => "the task was cancelled".to_owned(),
    }
}

fn problem(
    id: TaskId,
    record: TaskRecord,
    status: StatusCode,
    code: &'static str,
    with_result: bool,
) -> Problem {
    let from = record.stderr.len().saturating_sub(STDERR_SHOWN_MAX);
    let mut problem = Problem::new(status, code, detail(&record))
        .with("task", id.to_string())
        .with("exit_code", record.exit_code)
        .with("reason", record.reason.clone())
        .with(
            "stderr",
            String::from_utf8_lossy(&record.stderr[from..]).into_owned(),
        );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        problem = problem.retry_after(5);
    }
    if with_result {
        problem = problem.with(
            "result",
            json!(view::task(id, record, view::Outputs::Alone)),
        );
    }
    problem
}

fn headers(id: TaskId, record: &TaskRecord) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    let mut add = |name: &'static str, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    add(
        "wasipool-state",
        Some(HeaderValue::from_static(record.state.as_str())),
    );
    add(
        "wasipool-exit-code",
        record.exit_code.map(HeaderValue::from),
    );
    add("wasipool-task", HeaderValue::try_from(id.to_string()).ok());
    add("wasipool-attempts", Some(record.attempts.into()));
    if let Some(provider) = &record.provider {
        add(
            "wasipool-provider",
            HeaderValue::try_from(provider.id.to_string()).ok(),
        );
        add(
            "wasipool-provider-name",
            HeaderValue::try_from(provider.name.as_bytes()).ok(),
        );
        add(
            "wasipool-provider-kind",
            Some(HeaderValue::from_static(provider.kind.as_str())),
        );
    }
    headers
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wasipool_shared::ids::JobId;

    use super::*;
    use crate::store::TaskTiming;

    fn record(state: TaskState) -> TaskRecord {
        TaskRecord {
            state,
            exit_code: (state == TaskState::Failed).then_some(3),
            reason: Some("because".into()),
            stdout: Bytes::from_static(b"out"),
            stderr: Bytes::from_static(b"err"),
            artifacts: Vec::new(),
            provider: None,
            attempts: 2,
            timing: TaskTiming::default(),
            trace: Vec::new(),
            variants: Vec::new(),
        }
    }

    const ID: TaskId = TaskId {
        job: JobId(1),
        index: 0,
    };

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 100_000)
            .await
            .unwrap()
            .to_vec()
    }

    #[tokio::test]
    async fn each_outcome_has_its_status() {
        let raw = Wanted {
            json: false,
            fail: false,
        };
        for (state, status, code) in [
            (TaskState::Trapped, 422, "trapped"),
            (TaskState::OutOfMemory, 422, "out-of-memory"),
            (TaskState::OutputExceeded, 422, "output-exceeded"),
            (TaskState::TimedOut, 504, "timed-out"),
            (TaskState::Rejected, 503, "rejected"),
            (TaskState::Lost, 503, "lost"),
        ] {
            let response = answer(ID, record(state), raw);
            assert_eq!(response.status().as_u16(), status, "{code}");
            assert_eq!(response.headers()["wasipool-state"], state.as_str());
            assert_eq!(
                response.headers().contains_key(header::RETRY_AFTER),
                status == 503
            );
            let document: serde_json::Value =
                serde_json::from_slice(&body(response).await).unwrap();
            assert_eq!(
                (&document["code"], &document["stderr"]),
                (&json!(code), &json!("err"))
            );
        }
    }

    #[tokio::test]
    async fn stdout_comes_byte_for_byte_whatever_the_exit_code() {
        let raw = Wanted {
            json: false,
            fail: false,
        };
        for state in [TaskState::Succeeded, TaskState::Failed] {
            let response = answer(ID, record(state), raw);
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["wasipool-attempts"], "2");
            assert_eq!(body(response).await, b"out");
        }
        let failed = answer(ID, record(TaskState::Failed), Wanted { fail: true, ..raw });
        assert_eq!(failed.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(failed.headers()["wasipool-exit-code"], "3");
        let json = answer(ID, record(TaskState::Failed), Wanted { json: true, ..raw });
        let task: wasipool_shared::api::Task = serde_json::from_slice(&body(json).await).unwrap();
        assert_eq!(
            (task.exit_code, task.stdout.as_deref()),
            (Some(3), Some("out"))
        );
    }
}
