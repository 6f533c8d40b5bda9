//! `/api/broker/v1`: files by name, and one module run many times in a batch.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::Instant;
use wasipool_shared::ids::JobId;
use wasipool_shared::limits::MIB;
use wasipool_shared::task::TaskSpec;

use super::Text;
use super::guest::{Ended, environment};
use crate::driver::{NewJob, Requires, Tasks};
use crate::http::auth::Caller;
use crate::http::jobs::wait_for_end;
use crate::http::params::Params;
use crate::http::{App, Problem, body};
use crate::store::TaskRecord;
use crate::store::jobs::TaskFilter;
use crate::task_request::fields::FilesField;
use crate::task_request::job::{DESCRIPTIONS_BYTES_MAX, RETRIES_DEFAULT};
use crate::task_request::resolve::description_bytes;
use crate::task_request::{PayloadField, Place, RequestError, Resolver, TaskFields};

/// Bodies up to this size are parsed right away, larger ones on a thread that
/// may be busy for a while.
const PARSE_AT_ONCE: usize = 256 * 1024;
/// Runs after which others get their turn.
const TURN: usize = 256;
/// Results that are read and written at a time.
const RESULTS_AT_ONCE: usize = 32;
/// A batch that takes longer has no client any more.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// `POST /api/broker/v1/upload?name=…`: any kind of file.
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

/// What is to be run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Batch {
    #[serde(deserialize_with = "nullable")]
    bin: String,
    #[serde(deserialize_with = "nullable")]
    envs: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    exec: Vec<Run>,
    #[serde(deserialize_with = "nullable")]
    trace: bool,
}

/// One run of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    #[serde(deserialize_with = "nullable")]
    args: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    envs: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    stdin: String,
    #[serde(deserialize_with = "nullable")]
    loadfs: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    datafile: String,
}

/// `null` stands for what isn't there.
fn nullable<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Batch {
    fn parse(json: &[u8], runs_max: u32) -> Result<Self, Problem> {
        let invalid = |what: &dyn std::fmt::Display| {
            Problem::invalid(format!("failed to validate run configuration: {what}"))
        };
        let batch: Self = serde_json::from_slice(json).map_err(|error| invalid(&error))?;
        if batch.bin.is_empty() {
            return Err(invalid(&"\"bin\" is missing"));
        }
        if batch.exec.is_empty() {
            return Err(invalid(&"\"exec\" must have a run at least"));
        }
        if batch.exec.len() > usize::try_from(runs_max).unwrap_or(usize::MAX) {
            return Err(invalid(&format_args!(
                "{} runs are over the limit of {runs_max} tasks a job",
                batch.exec.len()
            )));
        }
        if batch.trace && batch.exec.len() != 1 {
            return Err(Problem::invalid(
                "trace is only supported for a single task",
            ));
        }
        Ok(batch)
    }
}

impl Run {
    /// The task's fields; `shared` are the variables of all runs.
    fn fields(&self, shared: &[String]) -> Result<TaskFields, Problem> {
        let own_first = self.envs.iter().chain(shared).map(String::as_str);
        let load = |name: &String| (name.clone(), PayloadField::Blob(name.clone()));
        let datafile = Some(&self.datafile).filter(|path| !path.is_empty());
        Ok(TaskFields {
            args: Some(self.args.clone()),
            env: Some(environment("envs", own_first)?),
            stdin: Some(PayloadField::Bytes(self.stdin.clone().into())),
            files: Some(FilesField::Map(self.loadfs.iter().map(load).collect())),
            artifacts: Some(datafile.into_iter().cloned().collect()),
            ..TaskFields::default()
        })
    }
}

/// What the reply says of one run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    Result(Outcome),
    Error(String),
}

#[derive(Debug, Serialize)]
struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    datafile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<Event>>,
}

#[derive(Debug, Serialize)]
struct Event {
    /// Unix time in microseconds.
    time: u64,
    label: String,
}

impl Entry {
    fn of(record: TaskRecord, trace: bool) -> Self {
        match Ended::of(record) {
            Ended::Broken(text) => Self::Error(text),
            Ended::NotRun(problem) => Self::Error(problem.detail().to_owned()),
            Ended::Exited(record) => {
                let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                let event = |step: &crate::store::TraceStep| Event {
                    time: (step.at_ms * 1e3) as u64,
                    label: format!("broker: {}", step.step),
                };
                let datafile = record.artifacts.first();
                Self::Result(Outcome {
                    status: record.exit_code.unwrap_or_default().cast_signed(),
                    stdout: text(&record.stdout),
                    stderr: text(&record.stderr),
                    datafile: datafile.map(|file| BASE64_STANDARD.encode(&file.bytes)),
                    trace: trace.then(|| record.trace.iter().map(event).collect()),
                })
            }
        }
    }
}

/// `POST /api/broker/v1/run`: waits for all runs; the reply has an entry for
/// each, in their order.
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
    let replies = Replies {
        app,
        job,
        refused: refused.into(),
        next_task: 0,
        trace,
        begun: false,
    };
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
    for (index, run) in batch.exec.iter().enumerate() {
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

/// The reply, piece by piece: no more than a few results are in memory.
struct Replies {
    app: App,
    job: Option<JobId>,
    /// For each run that is still to be told: why it wasn't run, if so.
    refused: VecDeque<Option<String>>,
    next_task: u32,
    trace: bool,
    begun: bool,
}

impl Replies {
    async fn next(&mut self) -> Option<Bytes> {
        if self.begun && self.refused.is_empty() {
            return None;
        }
        let count = RESULTS_AT_ONCE.min(self.refused.len());
        let some: Vec<_> = self.refused.drain(..count).collect();
        let wanted = some.iter().filter(|refused| refused.is_none()).count();
        let mut records = self.read(wanted).await.into_iter();
        let mut text = Vec::new();
        for refused in some {
            let entry = match refused {
                Some(error) => Entry::Error(error),
                None => match records.next() {
                    Some(record) => Entry::of(record, self.trace),
                    None => Entry::Error("the result is no longer kept".to_owned()),
                },
            };
            text.push(if self.begun { b',' } else { b'[' });
            self.begun = true;
            if let Err(error) = serde_json::to_writer(&mut text, &entry) {
                tracing::error!(%error, "a result can't be written as JSON");
                return None;
            }
        }
        if self.refused.is_empty() {
            text.extend_from_slice(b"]\n");
        }
        Some(text.into())
    }

    /// The results of the next tasks.
    async fn read(&mut self, count: usize) -> Vec<TaskRecord> {
        let Some(job) = self.job.filter(|_| count > 0) else {
            return Vec::new();
        };
        let jobs = self.app.store.jobs();
        let page = jobs
            .tasks(job, TaskFilter::All, self.next_task, count)
            .await;
        self.next_task += u32::try_from(count).unwrap_or(u32::MAX);
        page.items
            .into_iter()
            .filter_map(|(_, record)| record)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Batch, String> {
        Batch::parse(json.as_bytes(), 3).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn a_batch_is_read_as_the_earlier_system_did() {
        let batch = parse(
            r#"{"bin": "tsp.wasm", "envs": ["A=all", "B=all"], "unknown": {"x": 1}, "exec": [
                {"args": ["rand", "10"], "envs": ["B=own"], "stdin": "in", "loadfs": ["a.txt"],
                 "datafile": "/out.bin"},
                {"args": null, "envs": null}]}"#,
        )
        .unwrap();
        let fields = batch.exec[0].fields(&batch.envs).unwrap();
        assert_eq!(fields.args.unwrap(), ["rand", "10"]);
        let env = fields.env.unwrap().0;
        assert_eq!((env["A"].as_str(), env["B"].as_str()), ("all", "own"));
        assert_eq!(fields.stdin, Some(PayloadField::Bytes("in".into())));
        let loaded = ("a.txt".to_owned(), PayloadField::Blob("a.txt".into()));
        assert_eq!(fields.files, Some(FilesField::Map(vec![loaded])));
        assert_eq!(fields.artifacts.unwrap(), ["/out.bin"]);
        let empty = batch.exec[1].fields(&[]).unwrap();
        assert_eq!(empty.artifacts, Some(Vec::new()));
        assert!(batch.exec[1].fields(&["A".to_owned()]).is_err());
    }

    #[test]
    fn batches_that_cannot_be_run_are_refused() {
        for (json, why) in [
            ("{", "EOF"),
            ("7", "invalid type"),
            (r#"{"exec": [{}]}"#, "\"bin\" is missing"),
            (r#"{"bin": "a", "exec": []}"#, "a run at least"),
            (r#"{"bin": "a"}"#, "a run at least"),
            (
                r#"{"bin": "a", "exec": [{},{},{},{}]}"#,
                "4 runs are over the limit of 3",
            ),
            (
                r#"{"bin": "a", "exec": [{},{}], "trace": true}"#,
                "single task",
            ),
            (r#"{"bin": "a", "exec": [{"args": "x"}]}"#, "invalid type"),
        ] {
            let detail = parse(json).unwrap_err();
            assert!(detail.contains(why), "{json}: {detail}");
        }
        assert_eq!(
            parse(r#"{"bin": "a", "exec": [{},{},{}]}"#)
                .unwrap()
                .exec
                .len(),
            3
        );
    }

    #[test]
    fn entries_have_the_names_of_the_earlier_system() {
        let entry = Entry::Result(Outcome {
            status: 3,
            stdout: "out".into(),
            stderr: "err".into(),
            datafile: Some("AAE=".into()),
            trace: None,
        });
        assert_eq!(
            serde_json::to_string(&entry).unwrap(),
            r#"{"result":{"status":3,"stdout":"out","stderr":"err","datafile":"AAE="}}"#
        );
        let entry = Entry::Error("why".into());
        assert_eq!(serde_json::to_string(&entry).unwrap(), r#"{"error":"why"}"#);
    }
}
