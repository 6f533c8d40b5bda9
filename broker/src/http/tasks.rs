//! `/v1/jobs/{id}/tasks`: single tasks and what came out of them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use wasipool_shared::api::{self, Page};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{JobId, TaskId};

use super::download::Download;
use super::openapi::{Binary, Conflict, Denied, Invalid, NoJob, NoTask, Range, TaskState};
use super::params::{Params, PathOf, job_id};
use super::{App, Problem};
use crate::driver::{OpenTask, TaskPhase};
use crate::store::jobs::TaskFilter;
use crate::store::{JobRecord, TaskRecord};
use crate::view;

pub(super) async fn job(app: &App, id: &str) -> Result<JobRecord, Problem> {
    let found = app.store.jobs().job(job_id(id)?).await;
    found.ok_or_else(|| Problem::unknown_job(id))
}

/// The job and the index of a task, which the job has.
async fn find(app: &App, id: &str, index: &str) -> Result<(JobRecord, TaskId), Problem> {
    let job = job(app, id).await?;
    match index.parse() {
        Ok(index) if index < job.tasks => {
            let task = TaskId { job: job.id, index };
            Ok((job, task))
        }
        _ => Err(Problem::not_found(format!(
            "the job has {} tasks, none of them {index:?}",
            job.tasks
        ))),
    }
}

pub(super) async fn ended(
    app: &App,
    id: &str,
    index: &str,
) -> Result<(TaskId, TaskRecord), Problem> {
    let (_, task) = find(app, id, index).await?;
    match app.store.jobs().task(task.job, task.index).await {
        Some(record) => Ok((task, record)),
        None => Err(Problem::conflict("the task has not ended")),
    }
}

/// `GET /v1/jobs/{id}/tasks`: without outputs, which a result has.
///
/// # Errors
/// If there is no such job or the query isn't understood.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks",
    tag = "tasks",
    summary = "List a job's tasks",
    description = "Without outputs and files, which each task's result has.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("state" = Option<TaskState>, Query, description = "Only those in that state."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "Items of a page; 100 if nothing is said."),
        ("cursor" = Option<u32>, Query, description = "`next` of the page before."),
    ),
    responses((status = 200, description = "A page.", body = Page<api::Task>), Denied, Invalid, NoJob)
)]
pub async fn list(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
    params: Params,
) -> Result<Json<Page<api::Task>>, Problem> {
    params.only(&["state", "limit", "cursor"])?;
    let job = job(&app, &id).await?;
    let wanted = params.parsed("state", |name| {
        TaskPhase::from_name(name).ok_or_else(|| format!("no task can be {name:?}"))
    })?;
    let from = params.parsed("cursor", |cursor| {
        cursor
            .parse()
            .map_err(|_| format!("{cursor:?} is not from a list of tasks"))
    })?;
    let (from, limit) = (from.unwrap_or(0), params.limit()?);
    Ok(Json(match wanted {
        Some(phase @ (TaskPhase::Queued | TaskPhase::Running)) => {
            open_page(&app, &job, phase, from, limit).await
        }
        Some(TaskPhase::Ended(state)) => {
            stored_page(&app, &job, TaskFilter::Ended(state), from, limit).await
        }
        None => stored_page(&app, &job, TaskFilter::All, from, limit).await,
    }))
}

/// Tasks that wait or run.
async fn open_page(
    app: &App,
    job: &JobRecord,
    phase: TaskPhase,
    from: u32,
    limit: usize,
) -> Page<api::Task> {
    // What the driver doesn't know has ended.
    let page = app.driver.tasks(job.id, Some(phase), from, limit).await;
    let page = page.unwrap_or_default();
    let item = |(index, phase)| {
        let task = TaskId { job: job.id, index };
        view::open_task(task, phase == TaskPhase::Running, None)
    };
    Page {
        items: page.items.into_iter().map(item).collect(),
        next: page.next.map(|next| next.to_string()),
    }
}

/// Tasks as they are in the store; of those that haven't ended, the driver knows
/// what they do.
async fn stored_page(
    app: &App,
    job: &JobRecord,
    filter: TaskFilter,
    from: u32,
    limit: usize,
) -> Page<api::Task> {
    let page = app.store.jobs().tasks(job.id, filter, from, limit).await;
    let is_open = |(index, record): &(u32, Option<TaskRecord>)| record.is_none().then_some(*index);
    let first = page.items.iter().find_map(is_open);
    let last = page.items.iter().rev().find_map(is_open);
    let open = match first.zip(last) {
        Some((first, last)) => {
            let count = (last - first) as usize + 1;
            app.driver.tasks(job.id, None, first, count).await
        }
        None => None,
    };
    let phases: HashMap<u32, TaskPhase> = open.unwrap_or_default().items.into_iter().collect();
    let item = |(index, record): (u32, Option<TaskRecord>)| {
        let task = TaskId { job: job.id, index };
        match record {
            Some(record) => view::task(task, record, view::Outputs::Omitted),
            // One that has just ended counts as running until it is stored.
            None => {
                let waits = phases.get(&index) == Some(&TaskPhase::Queued);
                view::open_task(task, !waits, None)
            }
        }
    };
    Page {
        items: page.items.into_iter().map(item).collect(),
        next: page.next.map(|next| next.to_string()),
    }
}

/// `GET /v1/jobs/{id}/tasks/{index}`: the result.
///
/// # Errors
/// If there is no such task.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks/{index}",
    tag = "tasks",
    summary = "Get a task's result",
    description = "Or, as long as it hasn't ended, where it is.",
    params(("id" = JobId, Path, description = "The job."),
        ("index" = u32, Path, description = "The task's place in its job, from 0."),),
    responses((status = 200, description = "The task.", body = api::Task), Denied, NoTask)
)]
pub async fn get(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
) -> Result<Json<api::Task>, Problem> {
    let (job, task) = find(&app, &id, &index).await?;
    Ok(Json(match look_up(&app, task).await {
        Now::Ended(record) => view::task(task, *record, view::Outputs::Stored(job.id)),
        Now::Open(now) => view::open_task(task, is_running(now.as_ref()), now),
    }))
}

/// A task as it is now.
enum Now {
    Ended(Box<TaskRecord>),
    /// Nothing is known of one that has just ended and isn't stored yet: it counts
    /// as running.
    Open(Option<OpenTask>),
}

async fn look_up(app: &App, task: TaskId) -> Now {
    // First the driver: what it no longer knows is in the store.
    let now = app.driver.open_task(task).await;
    let stored = match now {
        Some(_) => None,
        None => app.store.jobs().task(task.job, task.index).await,
    };
    stored.map_or(Now::Open(now), |record| Now::Ended(Box::new(record)))
}

fn is_running(now: Option<&OpenTask>) -> bool {
    now.is_none_or(|now| now.phase == TaskPhase::Running)
}

/// `GET …/stdout`: byte for byte.
///
/// # Errors
/// If there is no such task or it hasn't ended.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks/{index}/stdout",
    tag = "tasks",
    summary = "What a task wrote to stdout",
    description = "Byte for byte.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("index" = u32, Path, description = "The task's place in its job, from 0."),
        ("range" = Option<String>, Header, description = "A part, as in RFC 9110: `bytes=0-99`."),
        ("if-none-match" = Option<String>, Header, description = "Tags of content that is known already."),
    ),
    responses(
        (status = 200, description = "All of it.", content_type = "application/octet-stream", body = Binary,
            headers(("etag" = String, description = "The digest of the content."))),
        (status = 206, description = "The part that was asked for.", content_type = "application/octet-stream", body = Binary,
            headers(("content-range" = String))),
        (status = 304, description = "The content is one that the client knows."),
        Denied, NoTask, Conflict, Range,
    )
)]
pub async fn stdout(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (task, record) = ended(&app, &id, &index).await?;
    raw(record.stdout, &format!("{task}.stdout"), &headers)
}

/// `GET …/stderr`: byte for byte.
///
/// # Errors
/// If there is no such task or it hasn't ended.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks/{index}/stderr",
    tag = "tasks",
    summary = "What a task wrote to stderr",
    description = "Byte for byte.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("index" = u32, Path, description = "The task's place in its job, from 0."),
        ("range" = Option<String>, Header, description = "A part, as in RFC 9110: `bytes=0-99`."),
        ("if-none-match" = Option<String>, Header, description = "Tags of content that is known already."),
    ),
    responses(
        (status = 200, description = "All of it.", content_type = "application/octet-stream", body = Binary,
            headers(("etag" = String, description = "The digest of the content."))),
        (status = 206, description = "The part that was asked for.", content_type = "application/octet-stream", body = Binary,
            headers(("content-range" = String))),
        (status = 304, description = "The content is one that the client knows."),
        Denied, NoTask, Conflict, Range,
    )
)]
pub async fn stderr(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (task, record) = ended(&app, &id, &index).await?;
    raw(record.stderr, &format!("{task}.stderr"), &headers)
}

fn raw(content: Bytes, name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let digest = Digest::of(&content);
    download(content, digest, name, headers)
}

fn download(
    content: Bytes,
    digest: Digest,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let download = Download {
        content,
        digest,
        // Not a page, whatever a guest writes.
        content_type: "application/octet-stream",
        caching: "private, no-cache",
        name,
    };
    download.answer(headers)
}

/// `GET …/artifacts/{path}`.
///
/// # Errors
/// If there is no such file.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks/{index}/artifacts/{*path}",
    tag = "tasks",
    summary = "A file that a task brought back",
    description = "Byte for byte.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("index" = u32, Path, description = "The task's place in its job, from 0."),
        ("path" = String, Path, min_length = 1, description = "Its path below `/`; may have slashes."),
        ("range" = Option<String>, Header, description = "A part, as in RFC 9110: `bytes=0-99`."),
        ("if-none-match" = Option<String>, Header, description = "Tags of content that is known already."),
    ),
    responses(
        (status = 200, description = "The file.", content_type = "application/octet-stream", body = Binary,
            headers(("etag" = String, description = "The digest of the content."))),
        (status = 206, description = "The part that was asked for.", content_type = "application/octet-stream", body = Binary,
            headers(("content-range" = String))),
        (status = 304, description = "The content is one that the client knows."),
        Denied, NoTask, Conflict, Range,
    )
)]
pub async fn artifact(
    State(app): State<App>,
    PathOf((id, index, path)): PathOf<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, record) = ended(&app, &id, &index).await?;
    let found = record
        .artifacts
        .into_iter()
        .find(|artifact| artifact.path == path);
    let missing = || Problem::not_found(format!("the task brought back no file {path:?}"));
    let artifact = found.ok_or_else(missing)?;
    let name = path.rsplit('/').next().unwrap_or(&path);
    download(artifact.bytes, artifact.digest, name, &headers)
}

/// `GET …/trace`.
///
/// # Errors
/// If there is no such task.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/tasks/{index}/trace",
    tag = "tasks",
    summary = "What happened to a task",
    description = "Every step with its time; of a task that hasn't ended, those until now.",
    params(("id" = JobId, Path, description = "The job."),
        ("index" = u32, Path, description = "The task's place in its job, from 0."),),
    responses((status = 200, description = "The steps.", body = api::Trace), Denied, NoTask)
)]
pub async fn trace(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
) -> Result<Json<api::Trace>, Problem> {
    let (_, task) = find(&app, &id, &index).await?;
    Ok(Json(match look_up(&app, task).await {
        Now::Ended(record) => view::trace(task, record.state.as_str(), record.trace),
        Now::Open(now) => {
            let state = match is_running(now.as_ref()) {
                true => "running",
                false => "queued",
            };
            view::trace(task, state, now.map_or(Vec::new(), |now| now.steps))
        }
    }))
}
