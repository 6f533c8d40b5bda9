//! `POST /api/client/run/{wasm}`: a task from headers, its stdin the body.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};

use super::Text;
use super::guest::{Ended, artifacts_zip, environment};
use super::responses::TextRun;
use crate::http::auth::Caller;
use crate::http::body::Input;
use crate::http::openapi::Binary;
use crate::http::params::PathOf;
use crate::http::run::{Terms, run_task};
use crate::http::{App, Problem, body};
use crate::module::BlobKind;
use crate::task_request::fields::FilesField;
use crate::task_request::{PayloadField, Resolver, TaskFields};

const PROVIDER: HeaderName = HeaderName::from_static("x-wasimoff-provider");
const RESULT: HeaderName = HeaderName::from_static("x-wasimoff-result");
const STATUS: HeaderName = HeaderName::from_static("x-wasimoff-status");
const ARTIFACTS: HeaderName = HeaderName::from_static("x-wasimoff-artifacts");
/// Where artifacts are that don't fit into a header.
const ARTIFACTS_REF: HeaderName = HeaderName::from_static("x-wasimoff-artifacts-ref");

/// Bytes of artifacts that go into a header: many clients take no more than
/// 100 KB of headers.
const ARTIFACTS_HEADER_BYTES_MAX: usize = 48 * 1024;

/// `POST /api/client/run/{wasm}`: the reply is stderr, then stdout.
#[utoipa::path(
    post,
    path = "/api/client/run/{wasm}",
    tag = "earlier",
    summary = "Run a task from headers and wait",
    description = "The body is the guest's stdin. Each header `X-Env-NAME` is a variable (the name in capitals); `Content-Type` and `Content-Length` are `CONTENT_TYPE` and `CONTENT_LENGTH`.",
    params(
        ("wasm" = String, Path, min_length = 1, description = "A module's name or digest."),
        ("x-args" = Option<String>, Header, description = "Arguments after `argv[0]`, split as a shell does it."),
        ("x-rootfs-ref" = Option<String>, Header, description = "A blob (zip, tar, tar.gz) that becomes the guest's `/`."),
        ("x-artifact" = Option<String>, Header, description = "A path or glob below `/` to bring back; repeats."),
    ),
    request_body(content = Binary, content_type = "application/octet-stream", description = "stdin. The type of the body isn't looked at."),
    responses(
        (status = 200, description = "The guest exited: its stderr, then its stdout. Or it was stopped (`X-Wasimoff-Result: Error`): why, as text.",
            content((Binary = "application/octet-stream"), (String = "text/plain")),
            headers(
                ("x-wasimoff-result" = String, description = "`Ok` or `Error`."),
                ("x-wasimoff-status" = u32, description = "What the guest returned, if it exited."),
                ("x-wasimoff-provider" = String, description = "Who ran it."),
                ("x-wasimoff-artifacts" = String, description = "The files that were asked for: a zip, in base64."),
                ("x-wasimoff-artifacts-ref" = String, description = "The digest of that zip, if it is over 48 KiB."),
            )),
        TextRun,
    )
)]
pub(super) async fn run(
    State(app): State<App>,
    caller: Caller,
    PathOf(wasm): PathOf<String>,
    headers: HeaderMap,
    stdin: Body,
) -> Result<Response, Text> {
    let mut fields = fields(&wasm, &headers)?;
    let wants_artifacts = fields
        .artifacts
        .as_ref()
        .is_some_and(|paths| !paths.is_empty());
    let mut resolver = Resolver::new(&app.store, app.archives(), caller.number());
    let module = resolver.module(&wasm).await?;
    fields.stdin = Some(match body::input(&app, caller.number(), stdin).await? {
        Input::Inline(bytes) => PayloadField::Bytes(bytes),
        Input::Blob(put) => {
            resolver.hold(put.pin);
            PayloadField::Blob(put.meta.digest.to_string())
        }
    });
    let terms = Terms {
        owner: caller.number(),
        ..Terms::default()
    };
    let (_, record) = run_task(&app, resolver, module, fields, terms).await?;
    let provider = record
        .provider
        .as_ref()
        .map(|provider| provider.name.clone());
    let (result, mut response) = match Ended::of(record) {
        Ended::NotRun(problem) => return Err(problem.into()),
        Ended::Broken(text) => ("Error", text.into_response()),
        Ended::Exited(record) => {
            let mut response = stderr_first(&record.stderr, &record.stdout).into_response();
            let kind = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            if let Some(code) = record.exit_code {
                response.headers_mut().insert(STATUS, code.into());
            }
            if wants_artifacts {
                let zip = artifacts_zip(&record.artifacts)?;
                let (name, value) = artifacts_header(&app, caller.number(), zip).await?;
                response.headers_mut().insert(name, value);
            }
            ("Ok", response)
        }
    };
    let headers = response.headers_mut();
    headers.insert(RESULT, HeaderValue::from_static(result));
    if let Some(name) = provider.and_then(|name| HeaderValue::try_from(name).ok()) {
        headers.insert(PROVIDER, name);
    }
    Ok(response)
}

fn stderr_first(stderr: &Bytes, stdout: &Bytes) -> Bytes {
    if stderr.is_empty() {
        return stdout.clone();
    }
    let mut both = BytesMut::with_capacity(stderr.len() + stdout.len());
    both.extend_from_slice(stderr);
    both.extend_from_slice(stdout);
    both.freeze()
}

async fn artifacts_header(
    app: &App,
    owner: u64,
    zip: Bytes,
) -> Result<(HeaderName, HeaderValue), Problem> {
    let (name, value) = if zip.len() <= ARTIFACTS_HEADER_BYTES_MAX {
        (ARTIFACTS, BASE64_STANDARD.encode(&zip))
    } else {
        let blobs = app.store.blobs();
        let put = blobs.put_for(owner, zip, BlobKind::Archive, None).await?;
        (ARTIFACTS_REF, put.meta.digest.to_string())
    };
    let value = HeaderValue::try_from(value);
    Ok((
        name,
        value.map_err(|error| Problem::internal(error.to_string()))?,
    ))
}

/// The task that the headers describe.
fn fields(wasm: &str, headers: &HeaderMap) -> Result<TaskFields, Problem> {
    let args = match text(headers, "x-args")? {
        None => Vec::new(),
        Some(line) => shlex::split(line).ok_or_else(|| {
            Problem::invalid("malformatted X-Args: a quote or a backslash has no end")
        })?,
    };
    let mut pairs = Vec::new();
    for name in headers.keys() {
        if let Some(variable) = name.as_str().strip_prefix("x-env-")
            && let Some(value) = text(headers, name.as_str())?
        {
            // Names of headers have no case.
            pairs.push(format!("{}={value}", variable.to_ascii_uppercase()));
        }
    }
    for (name, variable) in [
        ("content-length", "CONTENT_LENGTH"),
        ("content-type", "CONTENT_TYPE"),
    ] {
        if let Some(value) = text(headers, name)? {
            pairs.push(format!("{variable}={value}"));
        }
    }
    let files = text(headers, "x-rootfs-ref")?.filter(|reference| !reference.is_empty());
    let artifacts = headers
        .get_all("x-artifact")
        .iter()
        .map(|value| visible("x-artifact", value).map(str::to_owned));
    Ok(TaskFields {
        argv0: Some(wasm.to_owned()),
        args: Some(args),
        env: Some(environment("X-Env-*", pairs.iter().map(String::as_str))?),
        files: files.map(|reference| FilesField::Archive(reference.to_owned())),
        artifacts: Some(artifacts.collect::<Result<_, _>>()?),
        ..TaskFields::default()
    })
}

/// The first value of a header.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    headers
        .get(name)
        .map(|value| visible(name, value))
        .transpose()
}

fn visible<'a>(name: &str, value: &'a HeaderValue) -> Result<&'a str, Problem> {
    std::str::from_utf8(value.as_bytes())
        .map_err(|_| Problem::invalid(format!("{name}: the value is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    #[test]
    fn headers_are_the_task() {
        let headers = headers(&[
            ("x-args", "one 'two three' \"fo\\\"ur\" five\\ six"),
            ("x-env-mode", "fast"),
            ("x-env-empty", ""),
            ("x-rootfs-ref", "data.zip"),
            ("x-artifact", "out/a.txt"),
            ("x-artifact", "b"),
            ("content-type", "text/plain"),
            ("content-length", "3"),
        ]);
        let fields = fields("app.wasm", &headers).unwrap();
        assert_eq!(fields.argv0.as_deref(), Some("app.wasm"));
        assert_eq!(
            fields.args.unwrap(),
            ["one", "two three", "fo\"ur", "five six"]
        );
        let env = fields.env.unwrap().0;
        let of = |name: &str| env.get(name).map(String::as_str);
        assert_eq!((of("MODE"), of("EMPTY")), (Some("fast"), Some("")));
        assert_eq!(of("CONTENT_TYPE"), Some("text/plain"));
        assert_eq!(of("CONTENT_LENGTH"), Some("3"));
        assert_eq!(env.len(), 4);
        assert_eq!(fields.files, Some(FilesField::Archive("data.zip".into())));
        assert_eq!(fields.artifacts.unwrap(), ["out/a.txt", "b"]);
    }

    #[test]
    fn arguments_without_an_end_are_refused() {
        let problem = fields("app.wasm", &headers(&[("x-args", "'a")])).unwrap_err();
        assert!(problem.detail().contains("X-Args"), "{problem:?}");
    }
}
