//! Server-sent events.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::broker::{Broker, MODULE, body, problem};

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, PartialEq)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

/// The events of a response, as they come.
struct Events {
    response: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Events {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            response: response.bytes_stream().boxed(),
            text: String::new(),
        }
    }

    /// The next event; nothing at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_else(|| panic!("{name} in {event}"))
                        .to_owned()
                };
                let event = Event {
                    id: line("id: "),
                    name: line("event: "),
                    data: serde_json::from_str(&line("data: ")).unwrap(),
                };
                self.text = rest.to_owned();
                return Some(event);
            }
            let piece = timeout(PATIENCE, self.response.next()).await.unwrap()?;
            self.text.push_str(str::from_utf8(&piece.unwrap()).unwrap());
        }
    }

    /// The next event of that name for which `wanted` holds.
    async fn until(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Event {
        loop {
            let event = self.next().await.unwrap();
            if event.name == name && wanted(&event.data) {
                return event;
            }
        }
    }
}

async fn from(broker: &Broker, path: &str, last: &str) -> Events {
    let request = broker.client.get(format!("{}{path}", broker.url));
    Events::of(request.header("last-event-id", last).send().await.unwrap())
}

async fn submit(broker: &Broker, job: &Value) -> String {
    broker.send(Method::PUT, "/v1/blobs/app.wasm", MODULE).await;
    let job = body(broker.post_job(job).await, 202).await;
    job["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn everything_comes_first_then_what_changes() {
    let broker = Broker::start(&[]).await;
    let old = submit(&broker, &json!({"module": "app.wasm", "count": 1})).await;
    let mut events = Events::of(broker.get("/v1/events").await);
    let stats = events.next().await.unwrap();
    assert_eq!(stats.name, "stats");
    assert_eq!(
        (&stats.data["queued"], &stats.data["tasks_per_second"]),
        (&json!(1), &json!(0.0))
    );
    let providers = events.next().await.unwrap();
    assert_eq!(providers.name, "providers");
    assert_eq!(
        providers.data,
        json!({"all": true, "changed": [], "left": [], "more": 0})
    );
    let jobs = events.next().await.unwrap();
    assert_eq!(
        (jobs.name.as_str(), &jobs.data["all"]),
        ("jobs", &json!(true))
    );
    assert_eq!(jobs.data["changed"][0]["id"], old);
    let shown = body(broker.get(&format!("/v1/jobs/{old}")).await, 200).await;
    assert_eq!(jobs.data["changed"][0]["counts"], shown["counts"]);

    let new = submit(
        &broker,
        &json!({"module": "app.wasm", "count": 2, "name": "n"}),
    )
    .await;
    let change = events
        .until("jobs", |data| data["changed"][0]["id"] == new)
        .await;
    assert_eq!(change.data["all"], false);
    assert_eq!(change.data["changed"][0]["counts"]["queued"], 2);
    drop(events);
    broker
        .send(Method::DELETE, &format!("/v1/jobs/{new}"), "")
        .await;

    let mut events = from(&broker, "/v1/events", &change.id).await;
    let cancelled = events
        .until("jobs", |data| data["changed"][0]["state"] == "cancelled")
        .await;
    assert_eq!(cancelled.data["all"], false, "it goes on where it was");
    assert_eq!(cancelled.data["changed"][0]["id"], new);
    for last in [
        "",
        "nonsense",
        "0000000000000000-1",
        &jobs.id.replace('-', "-9999"),
    ] {
        let mut events = from(&broker, "/v1/events", last).await;
        assert_eq!(events.next().await.unwrap().name, "stats", "{last:?}");
        let providers = events.next().await.unwrap();
        assert_eq!(providers.data["all"], true);
        // From the middle of what comes first nothing can go on.
        let mut again = from(&broker, "/v1/events", &providers.id).await;
        assert_eq!(again.next().await.unwrap().name, "stats");
    }
}

#[tokio::test]
async fn a_job_tells_of_its_tasks_until_its_end() {
    let broker = Broker::start(&[]).await;
    let id = submit(&broker, &json!({"module": "app.wasm", "count": 1_000})).await;
    let path = format!("/v1/jobs/{id}/events");
    let mut events = Events::of(broker.get(&path).await);
    let job = events.next().await.unwrap();
    assert_eq!(
        (job.name.as_str(), &job.data["state"]),
        ("job", &json!("queued"))
    );
    let tasks = events.next().await.unwrap();
    assert_eq!(tasks.name, "tasks");
    assert_eq!(
        tasks.data,
        json!({"all": true, "runs": [[0, 1_000, "queued"]]})
    );
    let mut later = from(&broker, &path, &tasks.id).await;
    assert_eq!(later.next().await.unwrap().name, "job");

    broker
        .send(Method::DELETE, &format!("/v1/jobs/{id}"), "")
        .await;
    for events in [&mut events, &mut later] {
        let change = events.until("tasks", |_| true).await;
        assert_eq!(
            change.data,
            json!({"all": false, "runs": [[0, 1_000, "cancelled"]]})
        );
        let end = events.until("end", |_| true).await;
        assert_eq!(
            (&end.data["state"], &end.data["counts"]["cancelled"]),
            (&json!("cancelled"), &json!(1_000))
        );
        assert!(
            events.next().await.is_none(),
            "the stream ends with the job"
        );
    }

    let mut after = Events::of(broker.get(&path).await);
    let mut names = Vec::new();
    while let Some(event) = after.next().await {
        if event.name == "tasks" {
            assert_eq!(
                event.data,
                json!({"all": true, "runs": [[0, 1_000, "cancelled"]]})
            );
        }
        names.push(event.name);
    }
    assert_eq!(names, ["job", "tasks", "end"]);
    let unknown = broker
        .get("/v1/jobs/01arz3ndektsv4rrffq69g5fav/events")
        .await;
    assert_eq!(problem(unknown).await.1, "unknown-job");
}

#[tokio::test]
async fn streams_end_with_the_broker() {
    let broker = Broker::start(&[]).await;
    let id = submit(&broker, &json!({"module": "app.wasm", "count": 1})).await;
    let mut pool = Events::of(broker.get("/v1/events").await);
    let mut job = Events::of(broker.get(&format!("/v1/jobs/{id}/events")).await);
    pool.until("jobs", |_| true).await;
    job.until("tasks", |_| true).await;
    drop(broker);
    while pool.next().await.is_some() {}
    while job.next().await.is_some() {}
}

#[tokio::test]
async fn there_is_a_limit_of_streams() {
    const MOST: usize = wasipool_shared::limits::EVENT_STREAMS_MAX;
    let broker = Broker::start(&[]).await;
    let id = submit(&broker, &json!({"module": "app.wasm", "count": 1})).await;
    let follow = format!("/v1/jobs/{id}/results?follow=1");
    let mut open = vec![broker.get(&follow).await];
    while open.len() < MOST {
        open.push(broker.get("/v1/events").await);
        assert_eq!(open.last().unwrap().status(), 200);
    }
    for one_more in ["/v1/events", &follow] {
        let (status, code, detail) = problem(broker.get(one_more).await).await;
        assert_eq!((status, code.as_str()), (429, "too-many"));
        assert!(detail.contains("1024"), "{detail}");
    }
    let all = broker.get(&format!("/v1/jobs/{id}/results")).await;
    assert_eq!(all.status(), 200, "this one ends by itself");
    open.pop();
    while broker.get("/v1/events").await.status() != 200 {
        tokio::task::yield_now().await;
    }
}
