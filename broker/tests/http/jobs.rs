//! Jobs of a broker without providers: they wait, are listed and cancelled.

use reqwest::Method;
use serde_json::{Value, json};

use crate::broker::{Broker, MODULE, body, problem};

#[tokio::test]
async fn jobs_wait_are_listed_and_cancelled() {
    let broker = Broker::start(&[]).await;
    broker.send(Method::PUT, "/v1/blobs/app.wasm", MODULE).await;
    let new =
        json!({"module": "app.wasm", "count": 3, "name": "n", "labels": {"a": "b"}, "priority": 7});
    let accepted = broker.post_job(&new).await;
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    let job = body(accepted, 202).await;
    assert_eq!(
        location,
        format!("/v1/jobs/{}", job["id"].as_str().unwrap())
    );
    assert_eq!(
        (&job["state"], &job["tasks"]),
        (&json!("queued"), &json!(3))
    );
    assert_eq!(
        (&job["counts"]["queued"], &job["counts"]["out_of_memory"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(
        (&job["progress"], &job["priority"]),
        (&json!(0.0), &json!(7))
    );
    assert_eq!(job["module"]["ref"], "app.wasm");
    let task = body(broker.get(&format!("{location}/tasks/2")).await, 200).await;
    assert_eq!(
        (&task["index"], &task["state"]),
        (&json!(2), &json!("queued"))
    );
    let (status, code, _) = problem(broker.get(&format!("{location}/tasks/2/stdout")).await).await;
    assert_eq!((status, code.as_str()), (409, "conflict"));
    assert_eq!(
        problem(broker.get(&format!("{location}/tasks/3")).await)
            .await
            .0,
        404
    );

    for (query, found) in [
        ("", 1),
        ("?label=a%3Db", 1),
        ("?label=a%3Dc", 0),
        ("?state=failed", 0),
    ] {
        let page = body(broker.get(&format!("/v1/jobs{query}")).await, 200).await;
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
    }
    let following = broker.get(&format!("{location}/results?follow=1")).await;
    let cancelled = body(broker.send(Method::DELETE, &location, "").await, 200).await;
    assert_eq!(
        (&cancelled["state"], &cancelled["counts"]["cancelled"]),
        (&json!("cancelled"), &json!(3))
    );
    let lines = following.text().await.unwrap();
    assert_eq!(lines.lines().count(), 3, "the stream ends with the job");
    let results = broker
        .get(&format!("{location}/results"))
        .await
        .text()
        .await
        .unwrap();
    let indexes: Vec<_> = results
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["index"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(indexes, [0, 1, 2]);
    let page = body(
        broker
            .get(&format!("{location}/tasks?state=cancelled&limit=2"))
            .await,
        200,
    )
    .await;
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["next"]),
        (2, &json!("2"))
    );
    let trace = body(broker.get(&format!("{location}/tasks/0/trace")).await, 200).await;
    assert_eq!(trace["steps"][0]["step"], "received");
}

#[tokio::test]
async fn a_resent_job_is_the_first_one() {
    let broker = Broker::start(&[]).await;
    broker.send(Method::PUT, "/v1/blobs/app.wasm", MODULE).await;
    let post = async || {
        let new = json!({"module": "app.wasm", "tasks": [{}]}).to_string();
        let request = broker.client.post(format!("{}/v1/jobs", broker.url));
        let sent = request
            .header("idempotency-key", "k")
            .body(new)
            .send()
            .await
            .unwrap();
        body(sent, 202).await["id"].clone()
    };
    let (first, second, third) = tokio::join!(post(), post(), post());
    assert_eq!(first, second);
    assert_eq!(first, third);
}

#[tokio::test]
async fn who_waits_is_told_in_time() {
    let broker = Broker::start(&[]).await;
    broker.send(Method::PUT, "/v1/blobs/app.wasm", MODULE).await;
    let new = json!({"module": "app.wasm", "count": 2, "placement_timeout": "200ms"}).to_string();
    let late = broker
        .send(Method::POST, "/v1/jobs?wait=10ms", new.clone())
        .await;
    assert!(body(late, 202).await["results"].is_null());
    let ended = body(
        broker.send(Method::POST, "/v1/jobs?wait=20s", new).await,
        200,
    )
    .await;
    assert_eq!(ended["state"], "failed", "nobody could run it");
    assert_eq!(ended["results"].as_array().unwrap().len(), 2);
    assert_eq!(ended["results"][1]["state"], "rejected");
    assert!(ended.get("results_url").is_none());
}
