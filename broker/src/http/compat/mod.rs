//! Clients of the earlier system ("Wasimoff"), which find the calls that they
//! know: a thin adapter onto the same jobs.
//!
//! - [`thesis`]: `/api/broker/v1`, a file's upload and runs in batches.
//! - [`storage`]: `/api/storage`, content by name or digest.
//! - [`connect`]: the Connect protocol for single calls, JSON or protobuf.
//! - [`messages`]: the messages of those calls; [`object`]: what of them is an object.
//! - [`tasks`]: the calls themselves.
//! - [`exec`]: `/api/client/run/{wasm}`, a task from headers.
//! - [`guest`]: how a task ended, in the words of the earlier system.
//! - [`schema`], [`responses`]: how messages and errors look in the OpenAPI
//!   document.
//!
//! What its public sources say (github.com/wasimoff/wasimoff and
//! github.com/wasimoff/prototype: message numbers, names, replies) is followed;
//! errors have the statuses of this broker.

mod connect;
mod exec;
mod guest;
mod messages;
mod object;
mod responses;
mod schema;
mod storage;
mod tasks;
mod thesis;

pub(super) use schema::ConnectProblem;

use axum::response::{IntoResponse, Response};
use utoipa::openapi::Deprecated;
use utoipa::openapi::path::Paths;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;
use wasipool_shared::digest::Digest;

use super::{App, Problem, blobs};
use crate::store::PutBlob;

/// The earlier system's endpoints that take work and content.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(thesis::upload))
        .routes(routes!(thesis::run))
        .routes(routes!(storage::upload))
        .routes(routes!(storage::get))
        .routes(routes!(exec::run))
        .routes(routes!(tasks::run_wasip1))
        .routes(routes!(tasks::upload))
        .routes(under_the_first_name(routes!(tasks::run_wasip1)))
        .routes(under_the_first_name(routes!(tasks::upload)))
}

/// The same call of the service as it was called before.
fn under_the_first_name(
    (schemas, paths, methods): UtoipaMethodRouter<App>,
) -> UtoipaMethodRouter<App> {
    let renamed = paths.paths.into_iter().map(|(path, mut item)| {
        for operation in [&mut item.post].into_iter().flatten() {
            operation.deprecated = Some(Deprecated::True);
        }
        (
            path.replace("wasimoff.v1.Tasks", "wasimoff.v1.Wasimoff"),
            item,
        )
    });
    let mut paths = Paths::new();
    paths.paths = renamed.collect();
    (schemas, paths, methods)
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
