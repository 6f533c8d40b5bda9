//! The calls of the earlier system's service: run a task, store a file.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use wasipool_shared::digest::Digest;

use super::connect::{Code, ConnectError, unary};
use super::guest::{Ended, Requester, artifacts_zip, environment};
use super::messages::{
    File, Metadata, Output, Params, Qos, RunRequest, RunResponse, RunResult, Timestamp,
    UploadRequest, UploadResponse,
};
use super::responses::Connect;
use super::schema::{RunReply, RunTask, StoreFile, StoreReply};
use super::storage;
use crate::driver::{ModuleInfo, Requires};
use crate::http::auth::Caller;
use crate::http::openapi::Binary;
use crate::http::run::{Terms, module_of, run_task};
use crate::http::{App, body};
use crate::store::PutBlob;
use crate::task_request::fields::FilesField;
use crate::task_request::{PayloadField, Resolver, TaskFields};

/// What a request with `priority` has of the jobs' -100 to 100.
const PRIORITY: i8 = 50;

/// `RunWasip1`.
#[utoipa::path(
    post,
    path = "/api/client/wasimoff.v1.Tasks/RunWasip1",
    tag = "earlier",
    summary = "Run a task and wait (Connect)",
    description = "A message each way, `wasimoff.v1.Task.Wasip1.Request` and `.Response`: proto3's JSON or plain protobuf, as the `Content-Type` says. `Content-Encoding: gzip` is understood.",
    params(
        ("connect-protocol-version" = Option<String>, Header, pattern = "^1$", description = "The version of the Connect protocol."),
        ("connect-timeout-ms" = Option<String>, Header, pattern = "^[0-9]{1,10}$", description = "How long the client waits, in milliseconds."),
    ),
    request_body(content((RunTask = "application/json"), (Binary = "application/proto"))),
    responses(
        (status = 200, description = "What came of it, encoded as the request was. What the guest does wrong is the `error`.",
            content((RunReply = "application/json"), (Binary = "application/proto"))),
        Connect,
    )
)]
pub(super) async fn run_wasip1(
    State(app): State<App>,
    requester: Requester,
    caller: Caller,
    request: Request,
) -> Response {
    unary(&app, request, async |asked| {
        run(&app, &requester, &caller, asked).await
    })
    .await
}

/// `Upload`.
#[utoipa::path(
    post,
    path = "/api/client/wasimoff.v1.Tasks/Upload",
    tag = "earlier",
    summary = "Store a module or a zip (Connect)",
    description = "A message each way, `wasimoff.v1.Filesystem.Upload.Request` and `.Response`: proto3's JSON or plain protobuf, as the `Content-Type` says. `Content-Encoding: gzip` is understood.",
    params(
        ("connect-protocol-version" = Option<String>, Header, pattern = "^1$", description = "The version of the Connect protocol."),
        ("connect-timeout-ms" = Option<String>, Header, pattern = "^[0-9]{1,10}$", description = "How long the client waits, in milliseconds."),
    ),
    request_body(content((StoreFile = "application/json"), (Binary = "application/proto"))),
    responses(
        (status = 200, description = "Its digest, encoded as the request was.",
            content((StoreReply = "application/json"), (Binary = "application/proto"))),
        Connect,
    )
)]
pub(super) async fn upload(State(app): State<App>, caller: Caller, request: Request) -> Response {
    unary(&app, request, async |asked: UploadRequest| {
        let file = asked.upload.ok_or_else(|| invalid("file cannot be nil"))?;
        let media = file.media.as_deref().unwrap_or_default();
        if !storage::is_accepted(media) {
            return Err(invalid(storage::UNSUPPORTED));
        }
        let put = body::blob(
            &app,
            caller.number(),
            Body::from(file.blob.unwrap_or_default()),
        )
        .await?;
        let name = file.reference.as_deref().filter(|name| !name.is_empty());
        let digest = super::name(&app, name, &put).await?;
        Ok(UploadResponse {
            reference: Some(digest.to_string()),
        })
    })
    .await
}

fn invalid(text: impl Into<String>) -> ConnectError {
    ConnectError::new(Code::InvalidArgument, text)
}

/// Runs the task of a request.
///
/// # Errors
/// If the request can't be run. What the guest does wrong is no error but in
/// the response.
pub(super) async fn run(
    app: &App,
    requester: &Requester,
    caller: &Caller,
    asked: RunRequest,
) -> Result<RunResponse, ConnectError> {
    let params = asked
        .params
        .ok_or_else(|| invalid("params cannot be nil"))?;
    let qos = asked.qos.unwrap_or_default();
    let limit = time_left(app, qos.deadline.as_ref())?;
    let mut info = Metadata {
        requester: requester.0.map(|address| address.to_string()),
        reference: asked.info.and_then(|info| info.reference),
        ..Metadata::default()
    };
    if qos.immediate() && !has_idle_slot(app).await {
        let error = "qos: no idle workers for immediate mode".to_owned();
        return Ok(RunResponse {
            info: Some(info),
            result: Some(RunResult::Error(error)),
        });
    }
    let wants_artifacts = !params.artifacts.is_empty();
    let running = run_params(app, params, &qos, caller.number());
    let (id, record) = match limit {
        None => running.await?,
        Some(limit) => tokio::time::timeout(limit, running)
            .await
            .unwrap_or_else(|_| Err(too_late()))?,
    };
    info.id = Some(id.to_string());
    info.provider = record.provider.as_ref().map(|provider| {
        if provider.name.is_empty() {
            provider.id.to_string()
        } else {
            provider.name.clone()
        }
    });
    let result = match Ended::of(record) {
        Ended::Exited(record) => {
            let artifacts = match wants_artifacts {
                true => Some(File {
                    blob: Some(artifacts_zip(&record.artifacts)?),
                    ..File::default()
                }),
                false => None,
            };
            RunResult::Ok(Output {
                status: record.exit_code.map(u32::cast_signed),
                stdout: Some(record.stdout),
                stderr: Some(record.stderr),
                artifacts,
            })
        }
        Ended::Broken(text) => RunResult::Error(text),
        Ended::NotRun(problem) => return Err(problem.into()),
    };
    Ok(RunResponse {
        info: Some(info),
        result: Some(result),
    })
}

type Ran = (wasipool_shared::ids::TaskId, crate::store::TaskRecord);

async fn run_params(app: &App, params: Params, qos: &Qos, owner: u64) -> Result<Ran, ConnectError> {
    let mut resolver = Resolver::new(&app.store, app.archives(), owner);
    let binary = params
        .binary
        .ok_or_else(|| invalid("params.binary cannot be nil"))?;
    let module = module(app, owner, &mut resolver, binary).await?;
    let files = match params.rootfs {
        None => None,
        Some(rootfs) => Some(FilesField::Archive(
            archive(app, owner, &mut resolver, rootfs).await?,
        )),
    };
    let envs = params.envs.iter().map(String::as_str);
    let mut args = params.args.into_iter();
    let fields = TaskFields {
        argv0: args.next(),
        args: Some(args.collect()),
        env: Some(environment("params.envs", envs)?),
        stdin: params.stdin.map(PayloadField::Bytes),
        files,
        artifacts: Some(params.artifacts),
        ..TaskFields::default()
    };
    let terms = Terms {
        owner,
        priority: if qos.priority() { PRIORITY } else { 0 },
        requires: Requires::default(),
    };
    let ran = run_task(app, resolver, module, fields, terms).await;
    Ok(ran?)
}

/// Where a file's content is.
enum Content {
    Stored(String),
    Here(Bytes),
}

fn content(place: &str, file: File) -> Result<Content, ConnectError> {
    let reference = file.reference.filter(|reference| !reference.is_empty());
    match (reference, file.blob.filter(|blob| !blob.is_empty())) {
        (Some(reference), None) => Ok(Content::Stored(reference)),
        (None, Some(blob)) => match file.media.as_deref() {
            None | Some("") => Ok(Content::Here(blob)),
            Some(media) if storage::is_accepted(media) => Ok(Content::Here(blob)),
            Some(media) => Err(invalid(format!("{place}.media: invalid type {media:?}"))),
        },
        (Some(_), Some(_)) => Err(invalid(format!(
            "{place}: don't use both blob and ref together"
        ))),
        (None, None) => Err(invalid(format!("{place}: neither blob nor ref were given"))),
    }
}

async fn module(
    app: &App,
    owner: u64,
    resolver: &mut Resolver<'_>,
    file: File,
) -> Result<ModuleInfo, ConnectError> {
    match content("params.binary", file)? {
        Content::Stored(reference) => Ok(resolver.module(&reference).await?),
        Content::Here(blob) => {
            let put = body::blob(app, owner, Body::from(blob)).await?;
            let module = module_of(&put)?;
            resolver.hold(put.pin);
            Ok(module)
        }
    }
}

async fn archive(
    app: &App,
    owner: u64,
    resolver: &mut Resolver<'_>,
    file: File,
) -> Result<String, ConnectError> {
    match content("params.rootfs", file)? {
        Content::Stored(reference) => Ok(reference),
        Content::Here(blob) => {
            let PutBlob { meta, pin, .. } = body::blob(app, owner, Body::from(blob)).await?;
            resolver.hold(pin);
            let digest: Digest = meta.digest;
            Ok(digest.to_string())
        }
    }
}

async fn has_idle_slot(app: &App) -> bool {
    let stats = app.driver.stats().await;
    stats.is_some_and(|stats| stats.busy < stats.slots)
}

fn too_late() -> ConnectError {
    ConnectError::new(Code::DeadlineExceeded, "the deadline of qos has passed")
}

fn time_left(app: &App, deadline: Option<&Timestamp>) -> Result<Option<Duration>, ConnectError> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    let now_ms = i128::from(app.clock.unix_ms());
    let at_ms = i128::from(deadline.seconds) * 1_000 + i128::from(deadline.nanos / 1_000_000);
    match u64::try_from(at_ms - now_ms) {
        Ok(ms) if ms > 0 => Ok(Some(Duration::from_millis(ms))),
        _ => Err(too_late()),
    }
}
