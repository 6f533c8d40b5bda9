//! Which endpoints there are, and who may use them.
//!
//! Each is registered together with what the OpenAPI document says of it.

use axum::Router;
use axum::middleware;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wasipool_shared::wire::PATH;

use super::{
    App, admin, archive, auth, blobs, compat, events, jobs, openapi, pool, results, run, socket,
    tasks,
};

/// What a submit token opens.
fn submit() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(blobs::list, blobs::post))
        .routes(routes!(blobs::post_with_slash, blobs::put_without_name))
        .routes(routes!(blobs::get, blobs::put, blobs::delete))
        .routes(routes!(run::body_as_module))
        .routes(routes!(run::named))
        .routes(routes!(events::pool))
        .routes(routes!(jobs::list, jobs::post))
        .routes(routes!(jobs::get, jobs::delete))
        .routes(routes!(events::job))
        .routes(routes!(results::get))
        .routes(routes!(archive::of_job))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::stdout))
        .routes(routes!(tasks::stderr))
        .routes(routes!(tasks::artifact))
        .routes(routes!(archive::of_task))
        .routes(routes!(tasks::trace))
        .merge(compat::router())
}

/// What a provide token opens.
fn provide() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(pool::ticket))
}

/// What an admin token opens.
fn operate() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(admin::drain))
        .routes(routes!(admin::kick))
        .routes(routes!(admin::ban))
        .routes(routes!(admin::bans))
        .routes(routes!(admin::lift))
}

/// What any token opens.
fn any() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(pool::providers))
        .routes(routes!(pool::stats))
        .routes(routes!(pool::metrics))
}

/// What is open to everybody.
fn open() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(pool::transport))
        .routes(routes!(pool::healthz))
        .routes(routes!(pool::readyz))
        .routes(routes!(openapi::document))
        .routes(routes!(openapi::page))
}

/// What the OpenAPI document says of all of them.
pub(super) fn documented() -> OpenApi {
    let all = submit().merge(provide()).merge(operate());
    let all = all.merge(any()).merge(open());
    all.into_openapi()
}

/// All endpoints, behind the checks of who may use them.
pub(super) fn guarded(app: &App) -> Router<App> {
    let submit = Router::from(submit())
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::submit));
    let provide = Router::from(provide())
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::provide));
    let operate = Router::from(operate())
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::admin));
    let any =
        Router::from(any()).route_layer(middleware::from_fn_with_state(app.clone(), auth::any));
    Router::from(open())
        .route("/docs.css", get(openapi::style))
        // For providers, not for clients: docs/PROTOCOL.md describes it.
        .route(PATH, get(socket::upgrade))
        .merge(submit)
        .merge(provide)
        .merge(operate)
        .merge(any)
}
