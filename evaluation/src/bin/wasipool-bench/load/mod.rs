//! The load generator: sends the same request again and again, and checks and
//! times each reply.
//!
//! - [`closed`]: each connection sends its next request when the reply to the
//!   last one is there. Says how much a system can do.
//! - [`open`]: requests are due at a constant rate, whether or not the last ones
//!   were answered. A response time starts when its request was due, not when a
//!   connection was free for it: a system that stalls can't hide that by not
//!   being asked meanwhile (coordinated omission; G. Tene, "How NOT to Measure
//!   Latency", 2013).

mod connection;
mod sample;
mod target;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::LocalSet;

use connection::Connection;
pub(crate) use sample::Sample;
pub(crate) use target::{Expect, Target};

/// A reply may take so long.
const PATIENCE: Duration = Duration::from_secs(150);

/// When a load is measured: after a while of warming up, for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Not counted.
    pub(crate) warm_up: Duration,
    /// Counted.
    pub(crate) measured: Duration,
}

/// As many requests at a time as there are connections, without a pause.
///
/// # Errors
/// If a reply is wrong or doesn't come.
pub(crate) async fn closed(
    target: &Target,
    connections: usize,
    span: Span,
) -> anyhow::Result<Sample> {
    let begin = Instant::now() + span.warm_up;
    let end = begin + span.measured;
    let together = Rc::new(RefCell::new(Sample::new()));
    on_connections(connections, |_| {
        let (target, together) = (target.clone(), Rc::clone(&together));
        async move {
            let mut connection = Connection::open(&target.address).await?;
            let mut own = Sample::new();
            let mut last = begin;
            loop {
                let sent = Instant::now();
                // What was begun in time is counted, so that one long request counts too.
                if sent >= end {
                    break;
                }
                answered(&mut connection, &target).await?;
                if sent >= begin {
                    last = Instant::now();
                    own.add(last - sent);
                }
            }
            own.elapsed = last - begin;
            together.borrow_mut().merge(&own);
            Ok(())
        }
    })
    .await?;
    Ok(together.take_sample())
}

/// `rate` requests a second, on as many connections as it may take.
///
/// # Errors
/// If a reply is wrong or doesn't come.
pub(crate) async fn open(
    target: &Target,
    connections: usize,
    rate: f64,
    span: Span,
) -> anyhow::Result<Sample> {
    let start = Instant::now();
    let begin = start + span.warm_up;
    let end = begin + span.measured;
    let next = Rc::new(Cell::new(0_u64));
    let together = Rc::new(RefCell::new(Sample::new()));
    on_connections(connections, |_| {
        let (target, together, next) = (target.clone(), Rc::clone(&together), Rc::clone(&next));
        async move {
            let mut connection = Connection::open(&target.address).await?;
            let mut own = Sample::new();
            loop {
                let number = next.get();
                next.set(number + 1);
                let due = start + Duration::from_secs_f64(number as f64 / rate);
                if due >= end {
                    break;
                }
                pause_until(due).await;
                answered(&mut connection, &target).await?;
                if due >= begin {
                    own.add(due.elapsed());
                }
            }
            own.elapsed = span.measured.max(begin.elapsed());
            together.borrow_mut().merge(&own);
            Ok(())
        }
    })
    .await?;
    Ok(together.take_sample())
}

/// Tokio's timers count whole milliseconds: the rest is waited for awake, but
/// letting others go first.
async fn pause_until(due: Instant) {
    const COARSE: Duration = Duration::from_millis(2);
    let left = due.saturating_duration_since(Instant::now());
    if left > COARSE {
        tokio::time::sleep(left - COARSE).await;
    }
    while Instant::now() < due {
        tokio::task::yield_now().await;
    }
}

async fn answered(connection: &mut Connection, target: &Target) -> anyhow::Result<()> {
    let reply = tokio::time::timeout(PATIENCE, connection.exchange(&target.request))
        .await
        .with_context(|| format!("no reply within {PATIENCE:?}"))??;
    target.check(&reply)
}

trait TakeSample {
    fn take_sample(&self) -> Sample;
}

impl TakeSample for Rc<RefCell<Sample>> {
    fn take_sample(&self) -> Sample {
        self.replace(Sample::new())
    }
}

/// Runs a future for each connection on this thread; the first error ends all.
async fn on_connections<F: Future<Output = anyhow::Result<()>> + 'static>(
    connections: usize,
    make: impl Fn(usize) -> F,
) -> anyhow::Result<()> {
    let local = LocalSet::new();
    let tasks: Vec<_> = (0..connections)
        .map(|number| local.spawn_local(make(number)))
        .collect();
    local
        .run_until(async {
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::Router;
    use axum::routing::post;

    use super::*;

    async fn server(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn short() -> Span {
        Span {
            warm_up: Duration::ZERO,
            measured: Duration::from_millis(300),
        }
    }

    #[tokio::test]
    async fn a_wrong_reply_ends_the_load() {
        let base = server(Router::new().route("/", post(async || "right"))).await;
        let right = Target::post(
            &base,
            "/",
            "text/plain",
            b"",
            Expect::Body(b"right".to_vec()),
        );
        let sample = closed(&right, 3, short()).await.unwrap();
        assert!(sample.count() > 3);
        let wrong = Target {
            expect: Expect::Body(b"wrong".to_vec()),
            ..right
        };
        closed(&wrong, 3, short()).await.unwrap_err();
        open(&wrong, 3, 100.0, short()).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_stall_counts_for_all_that_were_due_in_it() {
        const STALL: Duration = Duration::from_millis(200);
        let stalled = Arc::new(AtomicBool::new(false));
        let handler = {
            let stalled = Arc::clone(&stalled);
            async move || {
                // Once, and for everybody: the server's only thread is this one.
                if !stalled.swap(true, Ordering::Relaxed) {
                    std::thread::sleep(STALL);
                }
                ""
            }
        };
        let base = server(Router::new().route("/", post(handler))).await;
        let target = Target::post(&base, "/", "text/plain", b"", Expect::Body(Vec::new()));
        let sample = open(&target, 1, 100.0, short()).await.unwrap();
        assert_eq!(sample.count(), 30, "all that were due are counted");
        // Twenty were due during the stall, and waited for 200, 190, … 10 ms.
        assert!(
            sample.quantile_ms(0.6) > 50.0,
            "{}",
            sample.quantile_ms(0.6)
        );
    }
}
