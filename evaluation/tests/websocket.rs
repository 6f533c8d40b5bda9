//! Where UDP is blocked, both kinds of provider come by WebSocket and do all
//! that they do otherwise.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::Provider;
use wasipool_evaluation::pool::{Pool, Setup};
use wasipool_evaluation::scenario::with_pool;

const LIMIT: Duration = Duration::from_secs(60);
const KINDS: [&str; 2] = ["native", "browser"];

fn both() -> Setup {
    Setup::broker().without_udp().native("native", 2).tab(2)
}

async fn all_by_websocket(client: &Client) -> anyhow::Result<()> {
    let providers = client.providers().await?;
    let by: Vec<_> = providers
        .iter()
        .map(|it| (&*it.kind, &*it.transport))
        .collect();
    for kind in KINDS {
        ensure!(by.contains(&(kind, "websocket")), "{by:?}");
    }
    ensure!(by.len() == 2, "{by:?}");
    Ok(())
}

/// Bytes that don't repeat where pieces are cut.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(next).collect()
}

#[test]
fn large_inputs_and_outputs_arrive_whole() {
    with_pool(&both(), async |pool| {
        let client = &pool.client;
        all_by_websocket(client).await?;
        client.put_guests(&["cat"]).await?;
        // From less than a piece to more than all windows together.
        for size in [0, 1, 32 << 10, 40_000, (64 << 10) + 1, 16 << 20] {
            let input = noise(size);
            for kind in KINDS {
                let run = client.run("cat.wasm").query("requires", kind);
                let reply = run.body(input.clone()).send_ok().await?;
                ensure!(
                    reply.body == input,
                    "{kind}, {size} bytes: others came back"
                );
            }
        }
        all_by_websocket(client).await
    });
}

#[test]
fn a_cancelled_job_leaves_the_slots_free() {
    with_pool(&both(), async |pool| {
        let client = &pool.client;
        client.put_guests(&["spin"]).await?;
        let job = json!({ "module": "spin.wasm", "count": 4 });
        let job = client.submit(&job).await?;
        let busy =
            |count| move |all: &[Provider]| all.iter().all(|it| it.busy == count).then_some(());
        client
            .providers_until("all slots are busy", LIMIT, busy(2))
            .await?;
        client.cancel(&job.id).await?;
        client
            .providers_until("all slots are free", LIMIT, busy(0))
            .await
    });
}

/// A session is over by its silence only after this: longer than a test waits.
const PATIENT: [&str; 2] = ["--session-idle", "300s"];

#[test]
fn what_a_killed_provider_had_is_done_by_others_at_once() {
    for killed in ["native", "tab"] {
        with_pool(
            &Setup::broker().without_udp().args(&PATIENT),
            async |pool| {
                start(pool, killed).await?;
                let client = pool.client.clone();
                client.put_guests(&["work"]).await?;
                let args = json!({ "args": ["250"] });
                let job = json!({ "module": "work.wasm", "count": 1, "defaults": args });
                let job = client.submit(&job).await?;
                let busy = |all: &[Provider]| all.iter().any(|it| it.busy > 0).then_some(());
                client.providers_until("it has work", LIMIT, busy).await?;
                pool.kill(killed)?;
                // Only now: so the task is not done before it is lost.
                pool.start_native("other", 1).await?;
                let ended = client.ended(&job.id, LIMIT).await?;
                ensure!(ended.state == "succeeded", "{ended:?}");
                let result = client.result(&job.id, 0).await?;
                ensure!(result.attempts == 2, "{result:?}");
                Ok(())
            },
        );
    }
}

async fn start(pool: &mut Pool, name: &str) -> anyhow::Result<()> {
    match name {
        "tab" => pool.start_tab(1).await,
        name => pool.start_native(name, 1).await,
    }
}

#[test]
fn providers_come_back_to_a_new_broker() {
    with_pool(&both(), async |pool| {
        let client = pool.client.clone();
        pool.restart_broker().await?;
        pool.connected("native").await?;
        pool.connected("tab").await?;
        all_by_websocket(&client).await?;
        client.put_guests(&["noop"]).await?;
        for kind in KINDS {
            let job = json!({ "module": "noop.wasm", "count": 1, "requires": { "kind": kind } });
            let job = client.submit_and_wait(&job, "20s").await?;
            ensure!(job.state == "succeeded", "{kind}: {job:?}");
        }
        Ok(())
    });
}

#[test]
fn webtransport_is_the_first_choice() {
    with_pool(&Setup::broker().native("native", 1).tab(1), async |pool| {
        // A busy machine may be late: then it comes with the next connection.
        let by = "the daemon and the tab come by WebTransport";
        let providers = pool.client.providers_until(by, LIMIT, |all| {
            all.iter()
                .all(|it| it.transport == "webtransport")
                .then_some(())
        });
        providers.await
    });
}
