//! `/v1/jobs/{id}/results`: all results, one a line.
//!
//! A stream holds a cursor, never results that wait: a slow reader costs nothing
//! but its connection.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use wasipool_shared::ids::{JobId, TaskId};

use super::openapi::{self, Denied, Flag, Invalid, NoJob, TooMany};
use super::params::{Params, PathOf, job_id};
use super::{App, Problem};
use crate::store::TaskRecord;
use crate::store::jobs::TaskFilter;
use crate::view;

/// Results that are read at a time at most.
const AT_ONCE: usize = 32;
/// Bytes of outputs that are read at a time, roughly.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// In which order results come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By index.
    Task,
    /// As they ended.
    Completion,
}

struct Cursor {
    app: App,
    id: JobId,
    order: Order,
    /// Stay open until the job has ended.
    follow: bool,
    /// How many were passed in that order.
    at: u32,
    /// How many are read at a time, by the size of the last ones.
    at_once: usize,
    changes: watch::Receiver<u64>,
    /// Of those that wait for more.
    _place: Option<OwnedSemaphorePermit>,
}

/// `GET /v1/jobs/{id}/results`: in task order; with `follow=1` as they come.
///
/// # Errors
/// If there is no such job, the query isn't understood, or too many follow.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/results",
    tag = "jobs",
    summary = "All results, one a line",
    description = "In task order, of those that have ended; with `follow` all, as they come, until the job has ended.",
    params(
        ("id" = JobId, Path, description = "The job."),
        ("follow" = Option<Flag>, Query, description = "Stay open until the job has ended."),
        ("order" = Option<openapi::Order>, Query, description = "`task`: by index; `completion`: as they end, which is usual for `follow`."),
    ),
    responses(
        (status = 200, description = "NDJSON: a result (`Task`) a line.", content_type = "application/x-ndjson", body = String),
        Denied, Invalid, NoJob, TooMany,
    )
)]
pub async fn get(
    State(app): State<App>,
    PathOf(id): PathOf<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.only(&["follow", "order"])?;
    let follow = params.flag("follow")?;
    let order = params.parsed("order", |order| match order {
        "task" => Ok(Order::Task),
        "completion" => Ok(Order::Completion),
        _ => Err(format!("{order:?} is neither task nor completion")),
    })?;
    let order = order.unwrap_or(if follow {
        Order::Completion
    } else {
        Order::Task
    });
    let job = job_id(&id)?;
    let changes = app
        .store
        .jobs()
        .subscribe(job)
        .ok_or_else(|| Problem::unknown_job(&id))?;
    let place = follow.then(|| app.events.place()).transpose()?;
    let cursor = Cursor {
        _place: place,
        app,
        id: job,
        order,
        follow,
        at: 0,
        at_once: 1,
        changes,
    };
    let lines = stream::unfold(cursor, |mut cursor| async move {
        let lines = cursor.next().await?;
        Some((Ok::<_, Infallible>(lines), cursor))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

impl Cursor {
    /// The next lines; nothing at the end and when the broker stops.
    async fn next(&mut self) -> Option<Bytes> {
        let stopping = self.app.stopping.clone();
        stopping.run_until_cancelled(self.lines()).await.flatten()
    }

    async fn lines(&mut self) -> Option<Bytes> {
        loop {
            // Seen before reading: what comes meanwhile wakes the wait below.
            self.changes.borrow_and_update();
            let job = self.app.store.jobs().job(self.id).await?;
            let records = self.read().await;
            if !records.is_empty() {
                return Some(self.written(records));
            }
            if !self.follow || job.ended().is_some() {
                return None;
            }
            self.changes.changed().await.ok()?;
        }
    }

    async fn read(&mut self) -> Vec<(u32, TaskRecord)> {
        let jobs = self.app.store.jobs();
        match self.order {
            Order::Completion => {
                let from = usize::try_from(self.at).unwrap_or(usize::MAX);
                let records = jobs.completed(self.id, from, self.at_once).await;
                self.at += u32::try_from(records.len()).unwrap_or(u32::MAX);
                records
            }
            Order::Task => {
                // Pages without any result are passed, but for who waits for it.
                loop {
                    let page = jobs
                        .tasks(self.id, TaskFilter::All, self.at, self.at_once)
                        .await;
                    let mut records = Vec::new();
                    for (index, record) in page.items {
                        match record {
                            Some(record) => records.push((index, record)),
                            None if self.follow => return records,
                            None => {}
                        }
                        self.at = index + 1;
                    }
                    if !records.is_empty() || page.next.is_none() {
                        return records;
                    }
                }
            }
        }
    }

    fn written(&mut self, records: Vec<(u32, TaskRecord)>) -> Bytes {
        let size = |(_, record): &(u32, TaskRecord)| record.stdout.len() + record.stderr.len();
        let mean = records.iter().map(size).sum::<usize>() / records.len().max(1);
        self.at_once = (BYTES_AT_ONCE / mean.max(1)).clamp(1, AT_ONCE);
        let mut lines = Vec::with_capacity(records.len() * 512);
        for (index, record) in records {
            let task = TaskId {
                job: self.id,
                index,
            };
            let result = view::task(task, record, view::Outputs::Stored(self.id));
            if let Err(error) = serde_json::to_writer(&mut lines, &result) {
                tracing::error!(%task, %error, "a result can't be written as JSON");
            }
            lines.push(b'\n');
        }
        lines.into()
    }
}
