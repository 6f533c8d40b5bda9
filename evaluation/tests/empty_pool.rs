//! A pool without providers says so, and what comes later is not lost.

use serde_json::json;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::scenario::with_pool;

#[test]
fn a_run_that_nobody_takes_is_rejected_with_the_reason() {
    with_pool(&Setup::broker(), async |pool| {
        let client = &pool.client;
        client.put_guests(&["noop"]).await?;
        let job = json!({ "module": "noop.wasm", "count": 3, "placement_timeout": "10m" });
        let job = client.submit(&job).await?;
        let run = client.run("noop.wasm").send().await?;
        let problem = run.problem()?;
        assert_eq!(
            (run.status.as_u16(), problem.code.as_str()),
            (503, "rejected"),
            "{run}"
        );
        assert!(problem.detail.contains("no provider is connected"), "{run}");
        assert!(run.header("retry-after").parse::<u32>()? > 0, "{run}");
        // The job may wait longer than the run.
        let job = client.job(&job.id).await?;
        assert_eq!((job.state.as_str(), job.count("queued")), ("queued", 3));
        Ok(())
    });
}
