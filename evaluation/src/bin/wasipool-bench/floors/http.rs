//! HTTP alone: a handler that answers at once; and HTTP to wasm in one process:
//! what a pool of one machine would be without a network in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc as threads;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::wasm::Guest;

/// Serves `/` with an empty answer to whatever comes, and says where.
///
/// # Errors
/// If it can't listen.
pub(super) async fn at_once(ready: impl FnOnce(&str)) -> anyhow::Result<()> {
    serve(Router::new().route("/", post(async |_: Bytes| "")), ready).await
}

type Run = oneshot::Sender<anyhow::Result<()>>;

/// Serves `/`: each request is a run of the module on one of the threads.
///
/// # Errors
/// If it can't listen, or the module can't be compiled.
pub(super) async fn to_wasm(
    module: PathBuf,
    workers: usize,
    ready: impl FnOnce(&str),
) -> anyhow::Result<()> {
    let (sender, receiver) = threads::channel::<Run>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..workers {
        let guest = Guest::load(&module, &[])?;
        let receiver = Arc::clone(&receiver);
        std::thread::spawn(move || {
            loop {
                // Whoever holds the lock waits for the next; the others wait for the lock.
                let next = receiver.lock().recv();
                let Ok(reply) = next else { return };
                // Who asked may have gone away.
                let _ = reply.send(guest.run());
            }
        });
    }
    let handler = async move |_: Bytes| {
        let (reply, ended) = oneshot::channel();
        let sent = sender
            .send(reply)
            .map_err(|_| StatusCode::SERVICE_UNAVAILABLE);
        sent?;
        match ended.await {
            Ok(Ok(())) => Ok(""),
            _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    };
    serve(Router::new().route("/", post(handler)), ready).await
}

async fn serve(router: Router, ready: impl FnOnce(&str)) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port")?;
    ready(&format!("http://{}", listener.local_addr()?));
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router).await.context("HTTP ended")
}
