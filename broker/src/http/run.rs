//! `/v1/run`: one task whose client waits.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use wasipool_shared::api;
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::ids::{ProviderId, TaskId};
use wasipool_shared::task::Payload;

use super::auth::Caller;
use super::body::{self, Input};
use super::openapi::{Binary, Denied, Flag, Invalid, Run, WrongType};
use super::outcome::{Wanted, answer};
use super::params::{Params, PathOf};
use super::{App, Problem};
use crate::driver::{ModuleInfo, NewJob, Requires, Tasks};
use crate::module::BlobKind;
use crate::store::{PutBlob, TaskRecord};
use crate::task_request::fields::{EnvField, FilesField};
use crate::task_request::job::{RETRIES_DEFAULT, argv0};
use crate::task_request::schema::{
    ArgText, DurationText, EnvText, OutputText, PatternText, RequiresText, SizeText,
};
use crate::task_request::units::{SizeField, parse_feature};
use crate::task_request::{PayloadField, Place, Resolver, TaskFields};

const PARAMS: [&str; 9] = [
    "arg", "env", "files", "timeout", "memory", "output", "artifact", "requires", "fail",
];

/// `POST /v1/run/{module}`: the body is the guest's stdin.
///
/// # Errors
/// If the request isn't accepted, or the task has no answer to give.
#[utoipa::path(
    method(post, put),
    path = "/v1/run/{module}",
    tag = "run",
    summary = "Run a stored module",
    description = "The body is the guest's stdin; the answer's is its stdout. Whatever isn't an answer is a problem with the guest's `stderr`.",
    params(
        ("module" = String, Path, min_length = 1, description = "A module's name or digest."),
        ("arg" = Option<Vec<ArgText>>, Query, description = "An argument after `argv[0]`; repeats, in order."),
        ("env" = Option<Vec<EnvText>>, Query, description = "`NAME=value`; repeats."),
        ("files" = Option<String>, Query, description = "A blob (zip, tar, tar.gz) that becomes the guest's `/`."),
        ("artifact" = Option<Vec<PatternText>>, Query, description = "A path or glob below `/` to bring back; repeats."),
        ("timeout" = Option<DurationText>, Query, description = "Guest run time; 60s if nothing is said."),
        ("memory" = Option<SizeText>, Query, description = "Guest linear memory; 256MiB if nothing is said."),
        ("output" = Option<OutputText>, Query, description = "Bytes of stdout and stderr, each; 16MiB if nothing is said."),
        ("requires" = Option<Vec<RequiresText>>, Query, description = "`native`, `browser`, or a feature of WebAssembly; repeats."),
        ("fail" = Option<Flag>, Query, description = "A guest that exits with another code than 0 is answered by 422."),
    ),
    request_body(content = Binary, content_type = "application/octet-stream", description = "stdin."),
    responses(
        (status = 200, description = "The guest exited: its stdout, byte for byte; with `Accept: application/json` the result.",
            content((Binary = "application/octet-stream"), (api::Task = "application/json")),
            headers(
                ("wasipool-state" = String, description = "How the task ended."),
                ("wasipool-exit-code" = u32, description = "What the guest returned."),
                ("wasipool-task" = String, description = "`<job>.<index>`."),
                ("wasipool-provider" = ProviderId, description = "Who ran it."),
                ("wasipool-attempts" = u32, description = "How often it was tried."),
            )),
        Denied, Invalid, Run,
    )
)]
pub async fn named(
    State(app): State<App>,
    caller: Caller,
    PathOf(reference): PathOf<String>,
    params: Params,
    headers: HeaderMap,
    stdin: Body,
) -> Result<Response, Problem> {
    let request = Request::read(&params, &headers, caller.number())?;
    let mut resolver = Resolver::new(&app.store, app.archives(), caller.number());
    let module = resolver.module(&reference).await?;
    let stdin = match body::input(&app, caller.number(), stdin).await? {
        Input::Inline(bytes) => PayloadField::Bytes(bytes),
        Input::Blob(put) => {
            resolver.hold(put.pin);
            PayloadField::Blob(put.meta.digest.to_string())
        }
    };
    request.run(&app, resolver, module, stdin).await
}

/// `POST /v1/run`: the body is the module.
///
/// # Errors
/// If the request isn't accepted, or the task has no answer to give.
#[utoipa::path(
    method(post, put),
    path = "/v1/run",
    tag = "run",
    summary = "Run the body as a module",
    description = "stdin is empty.",
    params(
        ("arg" = Option<Vec<ArgText>>, Query, description = "An argument after `argv[0]`; repeats, in order."),
        ("env" = Option<Vec<EnvText>>, Query, description = "`NAME=value`; repeats."),
        ("files" = Option<String>, Query, description = "A blob (zip, tar, tar.gz) that becomes the guest's `/`."),
        ("artifact" = Option<Vec<PatternText>>, Query, description = "A path or glob below `/` to bring back; repeats."),
        ("timeout" = Option<DurationText>, Query, description = "Guest run time; 60s if nothing is said."),
        ("memory" = Option<SizeText>, Query, description = "Guest linear memory; 256MiB if nothing is said."),
        ("output" = Option<OutputText>, Query, description = "Bytes of stdout and stderr, each; 16MiB if nothing is said."),
        ("requires" = Option<Vec<RequiresText>>, Query, description = "`native`, `browser`, or a feature of WebAssembly; repeats."),
        ("fail" = Option<Flag>, Query, description = "A guest that exits with another code than 0 is answered by 422."),
    ),
    request_body(content = Binary, content_type = "application/wasm", description = "The module, binary or as text."),
    responses(
        (status = 200, description = "The guest exited: its stdout, byte for byte; with `Accept: application/json` the result.",
            content((Binary = "application/octet-stream"), (api::Task = "application/json")),
            headers(
                ("wasipool-state" = String, description = "How the task ended."),
                ("wasipool-exit-code" = u32, description = "What the guest returned."),
                ("wasipool-task" = String, description = "`<job>.<index>`."),
                ("wasipool-provider" = ProviderId, description = "Who ran it."),
                ("wasipool-attempts" = u32, description = "How often it was tried."),
            )),
        Denied, Invalid, Run, WrongType,
    )
)]
pub async fn body_as_module(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    headers: HeaderMap,
    content: Body,
) -> Result<Response, Problem> {
    let request = Request::read(&params, &headers, caller.number())?;
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !kind.is_some_and(|kind| kind.starts_with(b"application/wasm")) {
        let detail = "the body is run as the module if the Content-Type is application/wasm; \
             a stored module is run by /v1/run/{module}";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported-media-type", detail));
    }
    let put = body::blob_for_now(&app, caller.number(), content).await?;
    let module = module_of(&put)?;
    let mut resolver = Resolver::new(&app.store, app.archives(), caller.number());
    resolver.hold(put.pin);
    request
        .run(&app, resolver, module, PayloadField::Bytes(Bytes::new()))
        .await
}

/// What query and headers ask for.
#[derive(Debug)]
struct Request {
    fields: TaskFields,
    requires: Requires,
    wanted: Wanted,
    owner: u64,
}

impl Request {
    fn read(params: &Params, headers: &HeaderMap, owner: u64) -> Result<Self, Problem> {
        params.only(&PARAMS)?;
        let mut requires = Requires::default();
        for name in params.all("requires") {
            match name {
                "native" => requires.kind = Some(ProviderKind::Native),
                "browser" => requires.kind = Some(ProviderKind::Browser),
                name => {
                    let feature = parse_feature(name).map_err(|problem| {
                        Problem::invalid(format!("requires: {problem}, native, browser"))
                    })?;
                    requires.features = requires.features.union(feature);
                }
            }
        }
        let mut env = EnvField::default();
        for pair in params.all("env") {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Problem::invalid(format!(
                    "env: {pair:?} is not of the form NAME=value"
                )));
            };
            env.0.insert(name.to_owned(), value.to_owned());
        }
        let owned = |name| params.all(name).map(str::to_owned).collect();
        let fields = TaskFields {
            args: Some(owned("arg")),
            argv0: None,
            env: Some(env),
            stdin: None,
            files: params
                .one("files")?
                .map(|reference| FilesField::Archive(reference.to_owned())),
            artifacts: Some(owned("artifact")),
            timeout: params.duration("timeout")?,
            memory: params.parsed("memory", SizeField::parse)?,
            output: params.parsed("output", SizeField::parse)?,
        };
        let wanted = Wanted {
            json: wants_json(headers),
            fail: params.flag("fail")?,
        };
        Ok(Self {
            fields,
            requires,
            wanted,
            owner,
        })
    }

    async fn run(
        mut self,
        app: &App,
        resolver: Resolver<'_>,
        module: ModuleInfo,
        stdin: PayloadField,
    ) -> Result<Response, Problem> {
        self.fields.stdin = Some(stdin);
        let terms = Terms {
            owner: self.owner,
            priority: 0,
            requires: self.requires,
        };
        let (id, record) = run_task(app, resolver, module, self.fields, terms).await?;
        if self.wanted.json {
            keep_artifacts(app, &record).await?;
        }
        Ok(answer(id, record, self.wanted))
    }
}

/// What was just stored, as a module.
pub(super) fn module_of(put: &PutBlob) -> Result<ModuleInfo, Problem> {
    let Some(info) = &put.meta.module else {
        let detail = "the content is no module";
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-module",
            detail,
        ));
    };
    Ok(ModuleInfo {
        reference: put.meta.digest.to_string(),
        digest: put.meta.digest,
        size: put.meta.size,
        features: info.features,
    })
}

/// For whom, how soon and where a task is run.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub(super) owner: u64,
    pub(super) priority: i8,
    pub(super) requires: Requires,
}

/// Runs one task whose client waits: it ends when the client goes away.
pub(super) async fn run_task(
    app: &App,
    mut resolver: Resolver<'_>,
    module: ModuleInfo,
    fields: TaskFields,
    terms: Terms,
) -> Result<(TaskId, TaskRecord), Problem> {
    let argv0 = argv0(&module.reference).to_owned();
    let spec = resolver
        .task(Place::Alone, fields, &TaskFields::default(), &argv0)
        .await?;
    debug_assert!(!matches!(&spec.stdin, Payload::Blob(blob) if blob.size == 0));
    let job = NewJob {
        name: None,
        module,
        tasks: Tasks::Each(vec![Arc::new(spec)]),
        priority: terms.priority,
        owner: terms.owner,
        retries: RETRIES_DEFAULT,
        quorum: 1,
        placement_timeout_ms: app.limits.run_placement_timeout_ms,
        requires: terms.requires,
        labels: Default::default(),
        idempotency_key: None,
    };
    // Until the task has ended: nothing else keeps what it needs.
    let _kept = resolver.finish();
    let (job, record) = app.driver.run(job).await?;
    Ok((TaskId { job, index: 0 }, record))
}

/// Nothing of such a task is stored but its files, which the result names by
/// their digests.
async fn keep_artifacts(app: &App, record: &TaskRecord) -> Result<(), Problem> {
    for artifact in &record.artifacts {
        app.store
            .blobs()
            .put_for_now(0, artifact.bytes.clone(), BlobKind::Data, None)
            .await?;
    }
    Ok(())
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|accept| {
        let accept = accept.to_str().unwrap_or_default();
        accept.split(',').any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("application/json")
        })
    })
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts as _;
    use axum::http::Request as HttpRequest;
    use wasipool_shared::capacity::Features;

    use super::*;

    async fn read(query: &str, accept: &str) -> Result<Request, Problem> {
        let uri = format!("/?{query}");
        let request = HttpRequest::post(uri)
            .header(header::ACCEPT, accept)
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        let params = Params::from_request_parts(&mut parts, &()).await?;
        Request::read(&params, &parts.headers, 0)
    }

    #[tokio::test]
    async fn the_query_is_the_task() {
        let query = "arg=a&arg=&arg=b%26c&env=K=V%3DW&env=E=&files=x.zip&timeout=2s&memory=1MiB\
                     &artifact=/out&requires=browser&requires=simd&fail=1";
        let request = read(query, "text/html, application/json;q=0.9")
            .await
            .unwrap();
        let fields = request.fields;
        assert_eq!(fields.args.unwrap(), ["a", "", "b&c"]);
        assert_eq!(fields.env.unwrap().0["K"], "V=W");
        assert_eq!(fields.files, Some(FilesField::Archive("x.zip".into())));
        assert_eq!(fields.timeout.unwrap().ms, 2_000);
        assert_eq!(fields.memory.unwrap().bytes, 1 << 20);
        assert_eq!(fields.artifacts.unwrap(), ["/out"]);
        assert_eq!(request.requires.kind, Some(ProviderKind::Browser));
        assert_eq!(request.requires.features, Features::SIMD);
        assert_eq!(
            request.wanted,
            Wanted {
                json: true,
                fail: true
            }
        );
        let plain = read("", "*/*").await.unwrap();
        assert_eq!(
            plain.wanted,
            Wanted {
                json: false,
                fail: false
            }
        );
    }

    #[tokio::test]
    async fn what_is_not_understood_is_refused() {
        for query in [
            "args=a",
            "env=x",
            "timeout=soon",
            "memory=x",
            "requires=warp",
            "fail=yes",
        ] {
            assert!(read(query, "*/*").await.is_err(), "{query}");
        }
    }
}
