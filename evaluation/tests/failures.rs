//! Providers that die or leave, and a broker that comes back.

use std::time::Duration;

use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::Job;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::scenario::with_pool;

const LIMIT: Duration = Duration::from_secs(60);

/// Tasks of about a second.
fn job(count: u32, retries: u32) -> Value {
    json!({
        "module": "work.wasm",
        "count": count,
        "retries": retries,
        "defaults": { "args": ["250"] },
    })
}

/// The name of a provider that has work.
async fn busy(client: &Client) -> anyhow::Result<String> {
    client
        .providers_until("a provider is busy", LIMIT, |all| {
            let busy = all.iter().find(|provider| provider.busy > 0)?;
            Some(busy.name.clone())
        })
        .await
}

#[test]
fn a_task_is_tried_again_elsewhere() {
    let setup = Setup::broker().native("first", 1).native("second", 1);
    with_pool(&setup, async |pool| {
        let client = pool.client.clone();
        client.put_guests(&["work"]).await?;
        let submitted = client.submit(&job(1, 3)).await?;
        let killed = busy(&client).await?;
        pool.kill(&killed)?;
        let ended = client.ended(&submitted.id, LIMIT).await?;
        assert_eq!(ended.state, "succeeded");
        let result = client.result(&submitted.id, 0).await?;
        assert_eq!(result.attempts, 2, "{result:?}");
        let provider = result.provider.expect("it ran somewhere");
        assert_ne!(provider.name, killed);
        Ok(())
    });
}

#[test]
fn a_task_without_retries_is_lost_with_its_provider() {
    with_pool(&Setup::broker().native("native", 1), async |pool| {
        let client = pool.client.clone();
        client.put_guests(&["work"]).await?;
        let submitted = client.submit(&job(1, 0)).await?;
        let killed = busy(&client).await?;
        pool.kill(&killed)?;
        let ended = client.ended(&submitted.id, LIMIT).await?;
        assert_eq!((ended.state.as_str(), ended.count("lost")), ("failed", 1));
        let result = client.result(&submitted.id, 0).await?;
        assert!(
            !result.reason.unwrap_or_default().is_empty(),
            "a lost task says why"
        );
        Ok(())
    });
}

#[test]
fn a_provider_that_is_told_to_leave_finishes_first() {
    with_pool(&Setup::broker().native("leaving", 1), async |pool| {
        let client = pool.client.clone();
        client.put_guests(&["work"]).await?;
        let submitted = client.submit(&job(4, 0)).await?;
        let id = &submitted.id;
        // The first is done, the module compiled: what computes now is a guest.
        let done = |job: &Job| job.count("succeeded");
        client.job_until(id, LIMIT, |job| done(job) > 0).await?;
        let leaving = pool.native("leaving");
        leaving.computed(Duration::from_millis(100), LIMIT).await?;
        leaving.terminate()?;
        let status = leaving.exited(LIMIT).await?;
        assert!(status.success(), "{status}");
        let left = client.job_until(id, LIMIT, |job| done(job) > 1).await?;
        assert_eq!(
            done(&left),
            2,
            "the running task is finished, no other begun: {left:?}"
        );

        // The others had not begun: without retries, they are not lost.
        pool.start_native("coming", 2).await?;
        let ended = client.ended(id, LIMIT).await?;
        assert_eq!(
            (ended.state.as_str(), done(&ended)),
            ("succeeded", 4),
            "{ended:?}"
        );
        let mut by_name: Vec<_> = client
            .results(id)
            .await?
            .into_iter()
            .filter_map(|result| result.provider.map(|provider| provider.name))
            .collect();
        by_name.sort();
        assert_eq!(by_name, ["coming", "coming", "leaving", "leaving"]);
        Ok(())
    });
}

#[test]
fn providers_come_back_to_a_new_broker() {
    with_pool(&Setup::broker().native("native", 1).tab(1), async |pool| {
        let client = pool.client.clone();
        pool.restart_broker().await?;
        pool.connected("native").await?;
        pool.connected("tab").await?;
        client.put_guests(&["noop"]).await?;
        for kind in ["native", "browser"] {
            let job = json!({ "module": "noop.wasm", "count": 1, "requires": { "kind": kind } });
            let job = client.submit_and_wait(&job, "20s").await?;
            assert_eq!(job.state, "succeeded", "{kind}");
        }
        Ok(())
    });
}
