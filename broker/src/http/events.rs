//! `/v1/events` and `/v1/jobs/{id}/events`: server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::time::timeout;
use wasipool_shared::ids::JobId;

use super::openapi::{Denied, Invalid, NoJob, ServerSentEvent, TooMany};
use super::params::{Params, PathOf, job_id};
use super::{App, Problem};
use crate::events::{ALIVE, TooManyStreams};

/// After this long without an event a comment says that the stream is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// `GET /v1/events`: the pool and the newest jobs, as they change.
///
/// # Errors
/// If too many listen.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    summary = "What happens in the pool",
    description = "Server-sent events: `stats` (`StatsEvent`), `providers` (`ProvidersEvent`) and `jobs` (`JobsEvent`). Everything comes first, then what changes.",
    params(("last-event-id" = Option<String>, Header, description = "`id` of the last event that the client knows: it goes on from there if that is still possible."),),
    responses(
        (status = 200, description = "Events, as long as the client listens.", content_type = "text/event-stream", body = ServerSentEvent),
        Denied, Invalid, TooMany,
    )
)]
pub async fn pool(
    State(app): State<App>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let listener = app.events.listen(last_event(&headers))?;
    Ok(events(stream::unfold(listener, |mut listener| async {
        let next = timeout(ALIVE_EVERY, listener.next()).await;
        Some((next.unwrap_or(Some(ALIVE))?, listener))
    })))
}

/// `GET /v1/jobs/{id}/events`: a job and its tasks, as they change.
///
/// # Errors
/// If there is no such job or too many listen.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/events",
    tag = "events",
    summary = "What happens to a job",
    description = "Server-sent events: `job` (`Job`), `tasks` (`TasksEvent`) and, at its end, `end` (`Job`). Everything comes first, then what changes.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("last-event-id" = Option<String>, Header, description = "`id` of the last event that the client knows: it goes on from there if that is still possible."),
    ),
    responses(
        (status = 200, description = "Events until the job has ended.", content_type = "text/event-stream", body = ServerSentEvent),
        Denied, Invalid, NoJob, TooMany,
    )
)]
pub async fn job(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.only(&[])?;
    let listener = app.events.watch(job_id(&id)?, last_event(&headers)).await?;
    let listener = listener.ok_or_else(|| Problem::unknown_job(&id))?;
    Ok(events(stream::unfold(listener, |mut listener| async {
        let next = timeout(ALIVE_EVERY, listener.next()).await;
        Some((next.unwrap_or(Some(ALIVE))?, listener))
    })))
}

fn last_event(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(HeaderName::from_static("last-event-id"))?
        .to_str()
        .ok()
}

fn events(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let events = futures_util::StreamExt::map(events, Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    let mut add = |name, value| headers.insert(name, HeaderValue::from_static(value));
    add(header::CONTENT_TYPE, "text/event-stream");
    add(header::CACHE_CONTROL, "no-store");
    // Proxies that would gather events are told not to.
    add(HeaderName::from_static("x-accel-buffering"), "no");
    response
}

impl From<TooManyStreams> for Problem {
    fn from(error: TooManyStreams) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", error.to_string());
        problem.retry_after(10)
    }
}
