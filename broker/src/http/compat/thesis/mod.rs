//! `/api/broker/v1`: files by name, and one module run many times in a batch.
//!
//! - [`batch`]: what is asked for.
//! - [`replies`]: what is answered.

mod batch;
mod replies;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use tokio::time::Instant;
use wasipool_shared::ids::JobId;
use wasipool_shared::limits::MIB;
use wasipool_shared::task::TaskSpec;

use super::Text;
use super::object::Object;
use super::responses::{TextRun, TextUpload};
use super::schema::{BatchRequest, BatchResults};
use crate::driver::{NewJob, Requires, Tasks};
use crate::http::auth::Caller;
use crate::http::jobs::wait_for_end;
use crate::http::openapi::Binary;
use crate::http::params::Params;
use crate::http::{App, Problem, body};
use crate::task_request::job::{DESCRIPTIONS_BYTES_MAX, RETRIES_DEFAULT};
use crate::task_request::resolve::description_bytes;
use crate::task_request::{Place, RequestError, Resolver, TaskFields};
use batch::{Batch, Run};
use replies::Replies;

/// Bodies up to this size are parsed right away, larger ones on a thread that
/// may be busy for a while.
const PARSE_AT_ONCE: usize = 256 * 1024;
/// Runs after which others get their turn.
const TURN: usize = 256;
/// A batch that takes longer has no client any more.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// `POST /api/broker/v1/upload?name=…`: any kind of file.
#[utoipa::path(
    post,
    path = "/api/broker/v1/upload",
    tag = "earlier",
    summary = "Store a file under a name",
    description = "Any kind of content; modules are checked.",
    params(("name" = String, Query, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$", description = "The name.")),
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "`Upload OK, SIZE bytes`.", content_type = "text/plain", body = String),
        TextUpload,
    )
)]
pub(super) async fn upload(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    content: Body,
) -> Result<String, Text> {
    let name = params.one("name")?.filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(Problem::invalid("need a name in query parameter").into());
    };
    let put = body::blob(&app, caller.number(), content).await?;
    super::name(&app, Some(name), &put).await?;
    Ok(format!("Upload OK, {} bytes", put.meta.size))
}

/// `POST /api/broker/v1/run`: waits for all runs; the reply has an entry for
/// each, in their order.
#[utoipa::path(
    post,
    path = "/api/broker/v1/run",
    tag = "earlier",
    summary = "Run a module many times and wait",
    description = "A client that goes away cancels the runs.",
    request_body(content = BatchRequest, content_type = "application/json", description = "The type of the body isn't looked at."),
    responses(
        (status = 200, description = "An entry for each run, in their order. A run that can't be run, or whose guest was stopped, is an `error`; an exit code is a `status`.", body = BatchResults),
        TextRun,
    )
)]
pub(super) async fn run(
    State(app): State<App>,
    caller: Caller,
    content: Body,
) -> Result<Response, Text> {
    let json = body::read(content, app.limits.request_json_bytes).await?;
    let runs_max = app.limits.job_tasks;
    let batch = if json.len() <= PARSE_AT_ONCE {
        Batch::parse(&json, runs_max)?
    } else {
        let parse = tokio::task::spawn_blocking(move || Batch::parse(&json, runs_max));
        parse
            .await
            .map_err(|error| Problem::internal(error.to_string()))??
    };
    let trace = batch.trace;
    let (job, refused) = accept(&app, batch, caller.number()).await?;
    if let Some(job) = job {
        let guard = CancelOnDrop { app: &app, job };
        wait_for_end(&app, job, Instant::now() + WAIT_MAX).await;
        guard.ended();
    }
    let replies = Replies::new(app, job, refused, trace);
    let pieces = stream::unfold(replies, |mut replies| async move {
        let piece = replies.next().await?;
        Some((Ok::<_, Infallible>(piece), replies))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Makes a job of the runs that can be run; for each run, why it can't, if so.
async fn accept(
    app: &App,
    batch: Batch,
    owner: u64,
) -> Result<(Option<JobId>, Vec<Option<String>>), Problem> {
    let mut resolver = Resolver::new(&app.store, app.archives(), owner);
    let module = match resolver.module(&batch.bin).await {
        Ok(module) => module,
        Err(error) => {
            let all = batch.exec.iter().map(|_| Some(error.to_string()));
            return Ok((None, all.collect()));
        }
    };
    let mut specs = Vec::with_capacity(batch.exec.len());
    let mut refused = Vec::with_capacity(batch.exec.len());
    let mut bytes = 0;
    for (index, Object(run)) in batch.exec.iter().enumerate() {
        if index % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        match spec(&mut resolver, index, run, &batch).await {
            Ok(spec) => {
                bytes += description_bytes(&spec);
                if bytes > DESCRIPTIONS_BYTES_MAX {
                    return Err(Problem::too_large(format!(
                        "exec: the runs take more than {} MiB with the variables of all: send \
                         several batches",
                        DESCRIPTIONS_BYTES_MAX as u64 / MIB
                    )));
                }
                specs.push(Arc::new(spec));
                refused.push(None);
            }
            Err(problem) => refused.push(Some(problem.detail().to_owned())),
        }
    }
    if specs.is_empty() {
        return Ok((None, refused));
    }
    let job = NewJob {
        name: None,
        module,
        tasks: Tasks::Each(specs),
        priority: 0,
        owner,
        retries: RETRIES_DEFAULT,
        quorum: 1,
        placement_timeout_ms: app.limits.run_placement_timeout_ms,
        requires: Requires::default(),
        labels: Default::default(),
        idempotency_key: None,
    };
    let _kept = resolver.finish();
    Ok((Some(app.driver.submit(job).await?), refused))
}

async fn spec(
    resolver: &mut Resolver<'_>,
    index: usize,
    run: &Run,
    batch: &Batch,
) -> Result<TaskSpec, Problem> {
    let fields = run.fields(&batch.envs)?;
    let spec: Result<_, RequestError> = resolver
        .task(
            Place::Run(index),
            fields,
            &TaskFields::default(),
            &batch.bin,
        )
        .await;
    Ok(spec?)
}

/// A client that goes away doesn't want its results any more.
struct CancelOnDrop<'a> {
    app: &'a App,
    job: JobId,
}

impl CancelOnDrop<'_> {
    fn ended(self) {
        std::mem::forget(self);
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        let (app, job) = (self.app.clone(), self.job);
        tokio::spawn(async move { app.driver.cancel(job).await });
    }
}
