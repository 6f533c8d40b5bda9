//! `/v1/jobs`: many tasks, kept until the client has seen them.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::time::{Instant, timeout_at};
use wasipool_shared::api::{self, Page};
use wasipool_shared::ids::{JobId, TaskId};

use super::auth::Caller;
use super::openapi::{Conflict, Denied, Invalid, JobState, NoJob, Submit};
use super::params::{Params, PathOf, job_id};
use super::{App, Problem, body};
use crate::store::jobs::TaskFilter;
use crate::store::{JobFilter, JobRecord};
use crate::task_request::parse::from_json;
use crate::task_request::schema::DurationText;
use crate::task_request::{JobFields, resolve_job};
use crate::view;

/// Bodies up to this size are parsed right away, larger ones on a thread that
/// may be busy for a while.
const PARSE_AT_ONCE: usize = 256 * 1024;
/// The longest that a client is let wait for a job.
const WAIT_MAX: Duration = Duration::from_secs(10 * 60);
/// Results in the answer to who waited.
const RESULTS_SHOWN: usize = 1_000;
/// Bytes of results in that answer, roughly.
const RESULTS_SHOWN_BYTES: usize = 16 * 1024 * 1024;
/// Results that are read at a time.
const RESULTS_AT_ONCE: usize = 64;
/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 256;
/// How long a cancelled job is given to end before it is shown.
const CANCEL_WAIT: Duration = Duration::from_secs(2);

/// `POST /v1/jobs`.
///
/// # Errors
/// If the job isn't accepted.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "jobs",
    summary = "Submit a job",
    description = "A 202 is a promise: the job survives the broker (unless it is ephemeral).",
    params(
        ("wait" = Option<DurationText>, Query, description = "How long to wait for the job's end, 10 minutes at most."),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 256, pattern = "^[ -~]+$",
            description = "A resend with the same key gives the first job."),
    ),
    request_body(content = JobFields, content_type = "application/json"),
    responses(
        (status = 200, description = "The job ended within `wait`: with its first results.", body = api::Job, headers(("location" = String))),
        (status = 202, description = "The job is accepted.", body = api::Job, headers(("location" = String))),
        Denied, Invalid, Submit,
    )
)]
pub async fn post(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    params.only(&["wait"])?;
    let wait = params
        .duration("wait")?
        .map(|wait| Duration::from_millis(wait.ms).min(WAIT_MAX));
    let key = headers
        .get(HeaderName::from_static("idempotency-key"))
        .map(idempotency_key);
    let key = key.transpose()?;
    let first = match &key {
        Some(key) => app.store.jobs().by_key(key).await,
        None => None,
    };
    let id = match first {
        Some(first) => first,
        None => {
            let json = body::read(content, app.limits.request_json_bytes).await?;
            let fields: JobFields = if json.len() <= PARSE_AT_ONCE {
                from_json(&json)?
            } else {
                let parse = tokio::task::spawn_blocking(move || from_json(&json));
                parse
                    .await
                    .map_err(|error| Problem::internal(error.to_string()))??
            };
            submit(&app, fields, key, caller.number()).await?
        }
    };
    let deadline = wait.map(|wait| Instant::now() + wait);
    let ended = match deadline {
        Some(deadline) => wait_for_end(&app, id, deadline).await,
        None => false,
    };
    let mut job = shown(&app, id).await?;
    let location = format!("/v1/jobs/{id}");
    let status = if ended {
        add_results(&app, id, &mut job).await;
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, [(header::LOCATION, location)], Json(job)).into_response())
}

fn idempotency_key(value: &HeaderValue) -> Result<String, Problem> {
    match value.to_str() {
        Ok(key) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(key.to_owned()),
        _ => {
            let detail =
                format!("Idempotency-Key: 1 to {KEY_BYTES_MAX} printable ASCII characters");
            Err(Problem::invalid(detail))
        }
    }
}

async fn submit(
    app: &App,
    fields: JobFields,
    key: Option<String>,
    owner: u64,
) -> Result<JobId, Problem> {
    let tasks_max = app.limits.job_tasks;
    let (job, _kept) = resolve_job(
        fields,
        key.clone(),
        owner,
        tasks_max,
        &app.store,
        app.archives(),
    )
    .await?;
    match app.driver.submit(job).await {
        Ok(id) => Ok(id),
        Err(error) => {
            // The same request may have come twice at once.
            let first = match &key {
                Some(key) => app.store.jobs().by_key(key).await,
                None => None,
            };
            first.ok_or_else(|| error.into())
        }
    }
}

/// Waits until a job has ended; false if that took too long.
pub(super) async fn wait_for_end(app: &App, id: JobId, deadline: Instant) -> bool {
    let Some(mut changes) = app.store.jobs().subscribe(id) else {
        return false;
    };
    loop {
        changes.borrow_and_update();
        match app.store.jobs().job(id).await {
            Some(record) if record.ended().is_some() => return true,
            Some(_) => {}
            None => return false,
        }
        if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
            return false;
        }
    }
}

/// The first results, in order; and where the others are.
async fn add_results(app: &App, id: JobId, job: &mut api::Job) {
    let mut results = Vec::new();
    let mut bytes = 0;
    let mut from = Some(0);
    while let Some(index) = from
        && results.len() < RESULTS_SHOWN
        && bytes < RESULTS_SHOWN_BYTES
    {
        let limit = RESULTS_AT_ONCE.min(RESULTS_SHOWN - results.len());
        let page = app
            .store
            .jobs()
            .tasks(id, TaskFilter::All, index, limit)
            .await;
        from = page.next;
        for (index, record) in page.items {
            let Some(record) = record else { continue };
            bytes += record.stdout.len() + record.stderr.len();
            let task = TaskId { job: id, index };
            results.push(view::task(task, record, view::Outputs::Stored(id)));
        }
    }
    job.results = Some(results);
    job.results_url = from.map(|_| format!("/v1/jobs/{id}/results"));
}

async fn view_of(app: &App, record: &JobRecord) -> api::Job {
    let load = match record.ended() {
        Some(_) => None,
        None => app.driver.job_load(record.id).await,
    };
    view::job(record, load, app.clock.unix_ms())
}

async fn shown(app: &App, id: JobId) -> Result<api::Job, Problem> {
    let record = app.store.jobs().job(id).await;
    let record = record.ok_or_else(|| Problem::unknown_job(&id.to_string()))?;
    Ok(view_of(app, &record).await)
}

/// `GET /v1/jobs/{id}`.
///
/// # Errors
/// If there is no such job.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    summary = "Get a job",
    description = "As it is now, or once it has ended.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("wait" = Option<DurationText>, Query, description = "How long to wait for the job's end, 10 minutes at most."),
    ),
    responses((status = 200, description = "The job.", body = api::Job), Denied, Invalid, NoJob)
)]
pub async fn get(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
    params: Params,
) -> Result<Json<api::Job>, Problem> {
    params.only(&["wait"])?;
    let id = job_id(&id)?;
    if let Some(wait) = params.duration("wait")? {
        let wait = Duration::from_millis(wait.ms).min(WAIT_MAX);
        wait_for_end(&app, id, Instant::now() + wait).await;
    }
    shown(&app, id).await.map(Json)
}

/// `GET /v1/jobs`.
///
/// # Errors
/// If the query isn't understood.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    tag = "jobs",
    summary = "List jobs",
    description = "The newest first.",
    params(
        ("state" = Option<JobState>, Query, description = "Only those in that state."),
        ("label" = Option<Vec<String>>, Query, description = "Only those with that label: `name` or `name=value`; repeats."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Items of a page; 100 if nothing is said."),
        ("cursor" = Option<JobId>, Query, description = "`next` of the page before."),
    ),
    responses((status = 200, description = "A page.", body = Page<api::Job>), Denied, Invalid)
)]
pub async fn list(State(app): State<App>, params: Params) -> Result<Json<Page<api::Job>>, Problem> {
    params.only(&["state", "label", "limit", "cursor"])?;
    let state = params.parsed("state", |state| match state {
        "queued" | "running" | "succeeded" | "failed" | "cancelled" => Ok(state.to_owned()),
        _ => Err(format!(
            "{state:?} is none of queued, running, succeeded, failed, cancelled"
        )),
    })?;
    let label = |label: &str| match label.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (label.to_owned(), None),
    };
    let filter = JobFilter {
        labels: params.all("label").map(label).collect(),
    };
    let limit = params.limit()?;
    let mut after = params.parsed("cursor", |cursor| {
        cursor
            .parse::<JobId>()
            .map_err(|_| format!("{cursor:?} is not from a list of jobs"))
    })?;
    let mut page = Page {
        items: Vec::new(),
        next: None,
    };
    loop {
        let found = app.store.jobs().list(&filter, after, limit).await;
        let more = found.next.is_some();
        for (at, record) in found.items.iter().enumerate() {
            let job = view_of(&app, record).await;
            after = Some(record.id);
            if state.as_ref().is_none_or(|state| *state == job.state) {
                page.items.push(job);
            }
            if page.items.len() == limit {
                let last = !more && at + 1 == found.items.len();
                page.next = (!last).then(|| record.id.to_string());
                return Ok(Json(page));
            }
        }
        if !more {
            return Ok(Json(page));
        }
    }
}

/// `DELETE /v1/jobs/{id}`: cancels it.
///
/// # Errors
/// If there is no such job, or it has ended.
#[utoipa::path(
    delete,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    summary = "Cancel a job",
    description = "Its running guests are stopped on their providers. A job that was cancelled before is answered as it is.",
    params(("id" = JobId, Path, description = "The job."),),
    responses((status = 200, description = "The job, cancelled.", body = api::Job), Denied, NoJob, Conflict)
)]
pub async fn delete(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
) -> Result<Json<api::Job>, Problem> {
    let id = job_id(&id)?;
    if app.driver.cancel(id).await {
        wait_for_end(&app, id, Instant::now() + CANCEL_WAIT).await;
        return shown(&app, id).await.map(Json);
    }
    let job = shown(&app, id).await?;
    if job.state == "cancelled" {
        return Ok(Json(job));
    }
    Err(Problem::conflict(format!(
        "the job has ended: {}",
        job.state
    )))
}
