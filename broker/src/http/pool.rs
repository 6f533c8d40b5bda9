//! The pool, the way into it, and the broker's health.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::api::{self, Page};

use super::auth::Caller;
use super::openapi::{Denied, TooMany, Unavailable};
use super::{App, Problem};
use crate::clock::rfc3339;

/// How long the driver may take to answer while the broker counts as ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// `GET /v1/providers`.
#[utoipa::path(
    get,
    path = "/v1/providers",
    tag = "pool",
    summary = "Who is connected",
    description = "All providers and what they offer.",
    responses((status = 200, description = "All of them, on one page.", body = Page<api::PoolProvider>), Denied)
)]
pub async fn providers(State(app): State<App>) -> Json<Page<api::PoolProvider>> {
    Json(Page {
        items: app.driver.providers().await,
        next: None,
    })
}

/// `GET /v1/stats`.
///
/// # Errors
/// If the broker is stopping.
#[utoipa::path(
    get,
    path = "/v1/stats",
    tag = "pool",
    summary = "The whole in numbers",
    description = "Since the broker's start.",
    responses((status = 200, description = "The numbers.", body = api::Stats), Denied, Unavailable)
)]
pub async fn stats(State(app): State<App>) -> Result<Json<api::Stats>, Problem> {
    app.driver.stats().await.map(Json).ok_or_else(stopping)
}

fn stopping() -> Problem {
    let detail = "the broker is stopping";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-capacity", detail).retry_after(5)
}

/// `GET /v1/transport`.
#[utoipa::path(
    get,
    path = "/v1/transport",
    tag = "pool",
    summary = "Where providers connect to",
    description = "And which certificates they are to expect.",
    responses((status = 200, description = "The address.", body = api::Transport))
)]
pub async fn transport(State(app): State<App>) -> Response {
    let view = app.transport.current();
    let hex = |hash: &[u8; 32]| {
        hash.iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    };
    let hash = |hash| api::CertificateHash {
        algorithm: "sha-256".to_owned(),
        value: hex(hash),
    };
    let transport = api::Transport {
        url: view.url,
        certificate_hashes: view.certificate_hashes.iter().map(hash).collect(),
        protocol: view.protocol,
    };
    // Certificates change: an old answer leads nowhere.
    ([(header::CACHE_CONTROL, "no-store")], Json(transport)).into_response()
}

/// `POST /v1/tickets`.
///
/// # Errors
/// If too many are out.
#[utoipa::path(
    post,
    path = "/v1/tickets",
    tag = "pool",
    summary = "A ticket for a provider",
    description = "Lets one session into the pool, once and soon.",
    responses((status = 201, description = "The ticket.", body = api::Ticket), Denied, TooMany)
)]
pub async fn ticket(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let account = app.auth.account(&caller);
    let ticket = app.tickets.issue(account).map_err(|error| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", error.to_string()).retry_after(10)
    })?;
    let expires = rfc3339(ticket.expires_unix_ms);
    let ticket = api::Ticket {
        ticket: ticket.ticket,
        expires,
    };
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(ticket)).into_response())
}

/// `GET /healthz`: the process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    summary = "Whether the process answers",
    description = "It does.",
    responses((status = 200, description = "`ok`", content_type = "text/plain", body = String))
)]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: jobs are taken and run.
///
/// # Errors
/// If the driver doesn't answer in time, or nothing can be stored.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    summary = "Whether jobs are taken and run",
    description = "For load balancers.",
    responses((status = 200, description = "`ready`", content_type = "text/plain", body = String), Unavailable)
)]
pub async fn readyz(State(app): State<App>) -> Result<&'static str, Problem> {
    if let Some(reason) = app.store.failure() {
        let detail = format!("jobs and results can't be stored: {reason}");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(Problem::new(status, "storage-failed", detail).retry_after(5));
    }
    match tokio::time::timeout(READY_WITHIN, app.driver.stats()).await {
        Ok(Some(_)) => Ok("ready\n"),
        Ok(None) => Err(stopping()),
        Err(_) => {
            let detail = "the broker is too busy to answer in time";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-capacity", detail).retry_after(1))
        }
    }
}

/// `GET /metrics`, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    summary = "All metrics",
    description = "For Prometheus.",
    responses((status = 200, description = "The text format, 0.0.4.", content_type = "text/plain", body = String), Denied)
)]
pub async fn metrics(State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    // While the broker stops they stay what they were.
    if let Some(stats) = app.driver.stats().await {
        app.metrics.set_pool(&stats);
    }
    ([(header::CONTENT_TYPE, kind)], app.metrics.render()).into_response()
}
