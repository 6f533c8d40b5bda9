//! What an end-to-end test runs in.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::pool::{Pool, Setup};

/// A test that takes longer hangs. Less than what ends a test from outside, so
/// that the logs are shown.
const LIMIT: Duration = Duration::from_secs(150);

/// Pools compete for the same cores: one at a time within a process.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Starts a pool and runs a test in it.
///
/// # Panics
/// If the pool doesn't start, the test fails or takes too long; the logs of all
/// processes are shown then.
pub fn with_pool(setup: &Setup, test: impl AsyncFnOnce(&mut Pool) -> anyhow::Result<()>) {
    with_pool_for(LIMIT, setup, test);
}

/// The same with another limit.
///
/// # Panics
/// As `with_pool`.
pub fn with_pool_for(
    limit: Duration,
    setup: &Setup,
    test: impl AsyncFnOnce(&mut Pool) -> anyhow::Result<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let _alone = ALONE.lock().await;
        let mut pool = Pool::start(setup)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        let whole = async {
            pool.add(setup).await?;
            test(&mut pool).await
        };
        // A panic while the pool is alive is what makes it show its logs.
        match tokio::time::timeout(limit, whole).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("{error:#}"),
            Err(_) => panic!("the test isn't through after {limit:?}"),
        }
    });
}
