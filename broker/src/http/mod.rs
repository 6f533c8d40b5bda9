//! The HTTP API and the page; the only place that knows axum.
//!
//! - [`problem`]: errors as `application/problem+json`.
//! - [`auth`]: bearer tokens and the check of `Origin`.
//! - [`params`], [`body`], [`range`]: what a request holds; `leftover`: what nobody reads of it.
//! - `download`, [`archive`]: bytes and files as they leave.
//! - [`blobs`], [`run`], [`jobs`], [`tasks`], [`results`], [`events`], [`pool`]:
//!   endpoints.
//! - `socket`: providers that come by WebSocket.
//! - [`admin`]: what an operator does to providers.
//! - `compat`: what clients of the earlier system call.
//! - [`openapi`]: the description of all endpoints, made from them.
//! - `endpoints`: which there are, and who may use them.
//! - [`assets`]: the page.

pub mod admin;
pub mod archive;
pub mod assets;
pub mod auth;
pub mod blobs;
pub mod body;
mod compat;
mod download;
mod endpoints;
pub mod events;
pub mod jobs;
mod leftover;
pub mod openapi;
mod outcome;
pub mod params;
pub mod pool;
pub mod problem;
pub mod range;
pub mod results;
pub mod run;
mod socket;
pub mod tasks;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasipool_shared::limits::{JOB_TASKS_MAX, REQUEST_JSON_BYTES_MAX};

pub use auth::Auth;
pub use problem::Problem;

use crate::bans::Bans;
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::Handle;
use crate::events::Hub;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::task_request::{Archives, TaskRules};
use crate::transport::{Announce, Door, Tickets};

/// What the endpoints work with.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Runs jobs.
    pub driver: Handle,
    /// Tells what happens.
    pub events: Hub,
    /// Keeps blobs and jobs.
    pub store: Store,
    /// Where providers connect to.
    pub transport: Announce,
    /// Lets them in.
    pub tickets: Tickets,
    /// Where they come in by WebSocket.
    pub door: Door,
    /// Keeps some out.
    pub bans: Bans,
    /// All metrics.
    pub metrics: Metrics,
    /// What requests may be at most.
    pub limits: Limits,
    /// Who may do what.
    pub auth: Auth,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the broker stops: streams end then.
    pub stopping: CancellationToken,
}

/// What requests may be at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a JSON request.
    pub request_json_bytes: usize,
    /// Tasks of a job.
    pub job_tasks: u32,
    /// What one task may bring.
    pub task: TaskRules,
    /// How long a task whose client waits may wait for a provider that could
    /// run it, in milliseconds.
    pub run_placement_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_json_bytes: REQUEST_JSON_BYTES_MAX,
            job_tasks: JOB_TASKS_MAX,
            task: TaskRules::default(),
            run_placement_timeout_ms: 30_000,
        }
    }
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Self {
        Self {
            request_json_bytes: usize::try_from(config.request_max).unwrap_or(usize::MAX),
            job_tasks: config.job_tasks_max,
            task: TaskRules::from(&config.tasks),
            run_placement_timeout_ms: u64::try_from(config.run_placement_timeout.as_millis())
                .unwrap_or(u64::MAX),
        }
    }
}

/// [`AppState`] and what belongs to the endpoints alone.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: AppState,
    archives: Archives,
}

impl App {
    /// Archives that were checked.
    #[must_use]
    pub fn archives(&self) -> &Archives {
        &self.0.archives
    }
}

impl Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0.state
    }
}

/// All endpoints.
pub fn router(state: AppState) -> Router {
    let rules = state.limits.task;
    let app = App(Arc::new(Inner {
        state,
        archives: Archives::new(rules),
    }));
    endpoints::guarded(&app)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(assets::serve)
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// What holds for every request.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = match request.method().as_str() {
        method @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE") => method.to_owned(),
        _ => "other".to_owned(),
    };
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.map_or_else(|| "other".to_owned(), |route| route.as_str().to_owned());
    let request = leftover::read_on(request);
    let mut response = match app.auth.check_origin(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    // Guests' bytes come from the same origin as the page.
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    let labels = [
        ("method", method),
        ("route", route),
        ("status", response.status().as_str().to_owned()),
    ];
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let count = |name, by| app.metrics.counter(name, &labels).increment(by);
    count("wasipool_http_request_micros_total", micros);
    count("wasipool_http_requests_total", 1);
    response
}

/// Serves the endpoints until `shutdown`.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Small answers go out at once.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(shutdown)
        .await
}
