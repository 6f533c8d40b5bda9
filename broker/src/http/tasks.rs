//! `/v1/jobs/{id}/tasks`: single tasks and what came out of them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use wasipool_shared::api::{self, Page};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::TaskId;

use super::params::{Params, PathOf, job_id};
use super::{App, Problem, blobs};
use crate::store::jobs::TaskFilter;
use crate::store::{JobRecord, TaskRecord, TaskState};
use crate::view;

async fn job(app: &App, id: &str) -> Result<JobRecord, Problem> {
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

async fn ended(app: &App, id: &str, index: &str) -> Result<(TaskId, TaskRecord), Problem> {
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
pub async fn list(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
    params: Params,
) -> Result<Json<Page<api::Task>>, Problem> {
    params.only(&["state", "limit", "cursor"])?;
    let job = job(&app, &id).await?;
    let state = params.one("state")?;
    let filter = match state {
        None => TaskFilter::All,
        Some("queued" | "running") => TaskFilter::Open,
        Some(name) => match TaskState::from_name(name) {
            Some(state) => TaskFilter::Ended(state),
            None => return Err(Problem::invalid(format!("state: no task can be {name:?}"))),
        },
    };
    let from = params.parsed("cursor", |cursor| {
        cursor
            .parse()
            .map_err(|_| format!("{cursor:?} is not from a list of tasks"))
    })?;
    let load = match job.ended() {
        Some(_) => None,
        None => app.driver.job_load(job.id).await,
    };
    let page = app
        .store
        .jobs()
        .tasks(job.id, filter, from.unwrap_or(0), params.limit()?)
        .await;
    let item = |(index, record): (u32, Option<TaskRecord>)| {
        let id = TaskId { job: job.id, index };
        match record {
            Some(record) => view::task(id, record, view::Outputs::Omitted),
            None => view::open_task(id, &job, load),
        }
    };
    let wanted =
        |task: &api::Task| filter != TaskFilter::Open || state == Some(task.state.as_str());
    Ok(Json(Page {
        items: page.items.into_iter().map(item).filter(wanted).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// `GET /v1/jobs/{id}/tasks/{index}`: the result.
///
/// # Errors
/// If there is no such task.
pub async fn get(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
) -> Result<Json<api::Task>, Problem> {
    let (job, task) = find(&app, &id, &index).await?;
    Ok(Json(
        match app.store.jobs().task(task.job, task.index).await {
            Some(record) => view::task(task, record, view::Outputs::Stored(job.id)),
            None => view::open_task(task, &job, app.driver.job_load(job.id).await),
        },
    ))
}

/// `GET …/stdout`: byte for byte.
///
/// # Errors
/// If there is no such task or it hasn't ended.
pub async fn stdout(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, record) = ended(&app, &id, &index).await?;
    Ok(raw(record.stdout, &headers))
}

/// `GET …/stderr`: byte for byte.
///
/// # Errors
/// If there is no such task or it hasn't ended.
pub async fn stderr(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, record) = ended(&app, &id, &index).await?;
    Ok(raw(record.stderr, &headers))
}

fn raw(bytes: Bytes, headers: &HeaderMap) -> Response {
    let digest = Digest::of(&bytes);
    with_type(blobs::bytes(bytes, headers, digest))
}

fn with_type(mut response: Response) -> Response {
    // Not a page, whatever a guest writes.
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// `GET …/artifacts/{path}`.
///
/// # Errors
/// If there is no such file.
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
    Ok(with_type(blobs::bytes(
        artifact.bytes,
        &headers,
        artifact.digest,
    )))
}

/// `GET …/trace`.
///
/// # Errors
/// If there is no such task.
pub async fn trace(
    State(app): State<App>,
    PathOf((id, index)): PathOf<(String, String)>,
) -> Result<Json<api::Trace>, Problem> {
    let (job, task) = find(&app, &id, &index).await?;
    Ok(Json(
        match app.store.jobs().task(task.job, task.index).await {
            Some(record) => view::trace(task, record),
            None => api::Trace {
                task: task.to_string(),
                state: view::open_task(task, &job, app.driver.job_load(job.id).await).state,
                steps: Vec::new(),
            },
        },
    ))
}
