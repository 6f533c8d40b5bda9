//! Clients of the earlier system ("Wasimoff"), which find the calls that they
//! know: a thin adapter onto the same jobs.
//!
//! - [`thesis`]: `/api/broker/v1`, a file's upload and runs in batches.
//! - [`storage`]: `/api/storage`, content by name or digest.
//! - [`connect`]: the Connect protocol for single calls, JSON or protobuf.
//! - [`messages`]: the messages of those calls.
//! - [`tasks`]: the calls themselves.
//! - [`exec`]: `/api/client/run/{wasm}`, a task from headers.
//! - [`guest`]: how a task ended, in the words of the earlier system.
//!
//! What its public sources say (github.com/wasimoff/wasimoff and
//! github.com/wasimoff/prototype: message numbers, names, replies) is followed;
//! errors have the statuses of this broker.

mod connect;
mod exec;
mod guest;
mod messages;
mod storage;
mod tasks;
mod thesis;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use wasipool_shared::digest::Digest;

use super::{App, Problem, blobs};
use crate::store::PutBlob;

/// The earlier system's endpoints that take work and content.
pub(super) fn router() -> Router<App> {
    let mut router = Router::new()
        .route("/api/broker/v1/upload", post(thesis::upload))
        .route("/api/broker/v1/run", post(thesis::run))
        .route("/api/storage/upload", post(storage::upload))
        .route("/api/storage/{ref}", get(storage::get))
        .route("/api/client/run/{wasm}", post(exec::run));
    // The service had another name before.
    for service in ["wasimoff.v1.Tasks", "wasimoff.v1.Wasimoff"] {
        let path = |method| format!("/api/client/{service}/{method}");
        router = router
            .route(&path("RunWasip1"), post(tasks::run_wasip1))
            .route(&path("Upload"), post(tasks::upload));
    }
    router
}

/// A problem as the earlier system's plain endpoints tell it: as text.
#[derive(Debug)]
struct Text(Problem);

impl<E: Into<Problem>> From<E> for Text {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        self.0.into_text()
    }
}

/// Gives content its name, if it is to have one.
async fn name(app: &App, name: Option<&str>, put: &PutBlob) -> Result<Digest, Problem> {
    if let Some(name) = name {
        blobs::check_name(name)?;
        app.store.blobs().name(name, put.meta.digest).await?;
    }
    Ok(put.meta.digest)
}
