//! The pool, the way into it, and the broker's health.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::broker::{Broker, body};

#[tokio::test]
async fn pool_and_health_answer() {
    let broker = Broker::start(&[]).await;
    assert_eq!(broker.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(broker.get("/readyz").await.status(), StatusCode::OK);
    assert_eq!(
        body(broker.get("/v1/providers").await, 200).await,
        json!({"items": [], "next": null})
    );
    assert_eq!(
        body(broker.get("/v1/stats").await, 200).await["providers"],
        0
    );
    let transport = body(broker.get("/v1/transport").await, 200).await;
    assert!(
        transport["url"]
            .as_str()
            .unwrap()
            .starts_with("https://127.0.0.1:")
    );
    assert_eq!(transport["certificate_hashes"][0]["algorithm"], "sha-256");
    assert_eq!(
        transport["certificate_hashes"][0]["value"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    let ticket = body(broker.send(Method::POST, "/v1/tickets", "").await, 201).await;
    assert!(ticket["ticket"].as_str().unwrap().len() >= 22);
    let metrics = broker.get("/metrics").await;
    assert!(
        metrics.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = metrics.text().await.unwrap();
    for line in [
        "# HELP wasipool_tasks_queued Tasks that wait for a slot.",
        "# TYPE wasipool_tasks_queued gauge",
        "wasipool_tasks_queued 0",
        "wasipool_slots 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
}
