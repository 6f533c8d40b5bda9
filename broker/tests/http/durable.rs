//! A broker with a folder: what it accepted is there when it comes back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::broker::{Broker, MODULE, body};

async fn submit(broker: &Broker, key: &str) -> Value {
    let job = json!({ "module": "m.wasm", "count": 3, "labels": { "a": "b" } });
    let url = format!("{}/v1/jobs", broker.url);
    let request = broker.client.post(url).header("idempotency-key", key);
    let response = request.body(job.to_string()).send().await.unwrap();
    body(response, 202).await
}

async fn stats(broker: &Broker) -> Value {
    body(broker.get("/v1/stats").await, 200).await
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("--data={}", folder.path().display());
    let broker = Broker::start(&[&data]).await;
    let put = broker.send(Method::PUT, "/v1/blobs/m.wasm", MODULE).await;
    assert_eq!(put.status(), 201);
    let first = submit(&broker, "one").await;
    broker.stop().await;

    let broker = Broker::start(&[&data]).await;
    let id = first["id"].as_str().unwrap();
    assert_eq!(
        submit(&broker, "one").await["id"],
        id,
        "a resend is no new job"
    );
    let path = format!("/v1/jobs/{id}");
    let job = body(broker.get(&path).await, 200).await;
    for member in [
        "id", "created", "labels", "module", "tasks", "counts", "state",
    ] {
        assert_eq!(job[member], first[member], "{member}");
    }
    assert_eq!(stats(&broker).await["queued"], 3, "it is to be run");
    body(broker.send(Method::DELETE, &path, "").await, 200).await;
    broker.stop().await;

    let broker = Broker::start(&[&data]).await;
    let job = body(broker.get(&path).await, 200).await;
    assert_eq!(job["state"], "cancelled");
    let results = broker.get(&format!("{path}/results")).await;
    assert_eq!(results.text().await.unwrap().lines().count(), 3);
    assert_eq!(stats(&broker).await["jobs"], 0);
}

#[tokio::test]
async fn the_statistics_say_whether_anything_survives() {
    let folder = tempfile::tempdir().unwrap();
    let data = format!("--data={}", folder.path().display());
    for (flag, ephemeral) in [(data.as_str(), false), ("--ephemeral", true)] {
        let broker = Broker::start(&[flag]).await;
        broker.send(Method::PUT, "/v1/blobs/x", "some bytes").await;
        let stats = stats(&broker).await;
        assert_eq!(stats["ephemeral"], ephemeral);
        assert_eq!(stats["stored_bytes"], 10);
    }
}
