//! The OpenAPI document, made from the endpoints themselves, and a page that shows
//! it.
//!
//! - `problems`: which problems an endpoint may answer with.
//! - `names`: values that some parameters are restricted to, and bytes.
//! - `page`: the document as HTML.

mod names;
mod page;
mod problems;

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use wasipool_shared::api;
use wasipool_shared::api::events::{JobsEvent, ProvidersEvent, StatsEvent, TasksEvent};

pub(super) use names::{Binary, Flag, JobState, Order, ServerSentEvent, TaskState};
pub(super) use problems::{
    Conflict, Denied, Invalid, NoBlob, NoJob, NoProvider, NoTask, Range, Run, Submit, TooLarge,
    TooMany, Unavailable, Upload, WrongType,
};

use super::compat::ConnectProblem;
use super::problem::CODES;
use crate::task_request::schema::{
    ArgText, DurationText, EnvText, OutputText, PatternText, RequiresText, SizeText,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wasipool",
        description = "Runs WebAssembly programs (WASI preview 1 commands) on whatever has joined the pool: browser tabs and native daemons.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "blobs", description = "Content and its names: modules, archives, inputs."),
        (name = "run", description = "One task whose client waits."),
        (name = "jobs", description = "Many tasks, kept until the client has seen them."),
        (name = "tasks", description = "Single tasks of a job and what came out of them."),
        (name = "events", description = "What happens, as it happens."),
        (name = "pool", description = "Who runs tasks, and the way into the pool."),
        (name = "operate", description = "Providers are drained, sent away, and kept out: for operators."),
        (name = "health", description = "For those who operate the broker."),
        (name = "earlier", description = "What clients of the earlier system call, mapped onto the same jobs; docs/EARLIER-CLIENTS.md. Errors are text, or errors of the Connect protocol."),
        (name = "description", description = "This document."),
    ),
    components(schemas(
        api::Problem, StatsEvent, ProvidersEvent, JobsEvent, TasksEvent,
        DurationText, SizeText, ArgText, EnvText, OutputText, PatternText, RequiresText, Binary, ServerSentEvent, Flag, Order, JobState, TaskState,
        ConnectProblem,
    ))
)]
struct Base;

/// The document as a JSON value.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = Base::openapi();
    document.merge(super::endpoints::documented());
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("token", token);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    refine(&mut document);
    document
});

static JSON: LazyLock<String> = LazyLock::new(json);
static PAGE: LazyLock<String> = LazyLock::new(|| page::render(&DOCUMENT));

/// The document as text, as `docs/openapi.json` holds it.
#[must_use]
pub fn json() -> String {
    let mut text = serde_json::to_string_pretty(&sorted(&DOCUMENT)).unwrap_or_default();
    text.push('\n');
    text
}

/// The same with all members in the order of their names, whether or not other
/// crates of the build make serde_json keep another one.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let sorted = |(name, member): (&String, &Value)| (name.clone(), sorted(member));
            Value::Object(members.into_iter().map(sorted).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// What the attributes of the endpoints can't say.
fn refine(document: &mut Value) {
    if let Some(code) = document.pointer_mut("/components/schemas/Problem/properties/code") {
        code["enum"] = CODES.iter().map(|(code, ..)| *code).collect();
    }
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else {
        return;
    };
    // axum's sign for the rest of a path is none of OpenAPI's.
    let rest: Vec<_> = paths
        .keys()
        .filter(|path| path.contains("{*"))
        .cloned()
        .collect();
    for path in rest {
        if let Some(item) = paths.remove(&path) {
            paths.insert(path.replace("{*", "{"), item);
        }
    }
    for (path, item) in paths.iter_mut() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = Value::from(name(method, path));
            let denied = operation.pointer("/responses/401").is_some();
            operation["security"] = if denied {
                // Without tokens a broker is open.
                serde_json::json!([{}, {"token": []}])
            } else {
                serde_json::json!([])
            };
            // Nothing is content too.
            if let Some(body) = operation.get_mut("requestBody")
                && body["content"]["application/octet-stream"].is_object()
            {
                body["required"] = Value::Bool(false);
            }
            let parameters = operation
                .get_mut("parameters")
                .and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                not_null(&mut parameter["schema"]);
            }
        }
    }
}

/// The name of an operation in programs that are made from the document:
/// `getJobsIdTasks`.
fn name(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let mut name = words.fold(method.to_owned(), |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters);
        name
    });
    // `/v1/blobs/` is another address than `/v1/blobs`.
    if path.ends_with('/') {
        name.push_str("Slash");
    }
    name
}

/// A parameter that may be left out is not null when it is there.
fn not_null(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [only] = choices.as_slice() {
            *schema = only.clone();
        }
    }
}

/// `GET /openapi.json`.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "description",
    summary = "This document",
    description = "OpenAPI 3.1.",
    responses((status = 200, description = "The document.", content_type = "application/json", body = Object))
)]
pub async fn document() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], JSON.as_str()).into_response()
}

/// `GET /docs`.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "description",
    summary = "This document as a page",
    description = "For people.",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String))
)]
pub async fn page() -> Response {
    let mut response = Html(PAGE.as_str()).into_response();
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// `GET /docs.css`: how the page looks.
pub(super) async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], include_str!("docs.css")).into_response()
}
