//! What one token's owner may use.

use std::io::Write as _;

use reqwest::{Method, Response};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::broker::{Broker, MODULE, body, problem};

fn file(lines: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

async fn start(submit: &NamedTempFile, more: &[&str]) -> Broker {
    let tokens = format!("--submit-tokens={}", submit.path().display());
    let args: Vec<_> = std::iter::once(tokens.as_str())
        .chain(more.iter().copied())
        .collect();
    Broker::start(&args).await
}

async fn send(broker: &Broker, token: &str, method: Method, path: &str, body: String) -> Response {
    let request = broker
        .client
        .request(method, format!("{}{path}", broker.url));
    request.bearer_auth(token).body(body).send().await.unwrap()
}

#[tokio::test]
async fn queued_tasks_are_counted_for_each_owner() {
    let tokens = file("alice:one\nalice:two\nbob:three\n");
    let broker = start(&tokens, &["--token-queued-tasks-max=3"]).await;
    let put = send(
        &broker,
        "one",
        Method::PUT,
        "/v1/blobs/a.wasm",
        MODULE.into(),
    )
    .await;
    assert_eq!(put.status(), 201);
    let submit = async |token: &str, count: u32| {
        let job = json!({"module": "a.wasm", "count": count}).to_string();
        send(&broker, token, Method::POST, "/v1/jobs", job).await
    };
    let first = body(submit("one", 2).await, 202).await;
    let more = submit("two", 2).await;
    assert_eq!(more.headers()["retry-after"], "1");
    let (status, code, detail) = problem(more).await;
    assert_eq!((status, code.as_str()), (429, "queue-full"));
    assert!(detail.contains("--token-queued-tasks-max"), "{detail}");
    assert_eq!(submit("two", 1).await.status(), 202, "just up to the limit");
    assert_eq!(submit("three", 3).await.status(), 202, "bob has his own");
    // A one-shot run counts too.
    let run = send(
        &broker,
        "one",
        Method::POST,
        "/v1/run/a.wasm",
        String::new(),
    )
    .await;
    assert_eq!(problem(run).await.1, "queue-full");
    let job = format!("/v1/jobs/{}", first["id"].as_str().unwrap());
    let cancelled = send(&broker, "one", Method::DELETE, &job, String::new()).await;
    assert!(cancelled.status().is_success());
    assert_eq!(
        submit("two", 2).await.status(),
        202,
        "what has ended is free again"
    );
    assert_eq!(submit("two", 1).await.status(), 429);
}

#[tokio::test]
async fn requests_are_counted_for_each_owner() {
    let tokens = file("alice:one\nbob:two\n");
    let broker = start(&tokens, &["--token-requests-max=1"]).await;
    // A hundred in less than a hundred seconds: not all of them can be in time.
    let mut refused = None;
    for _ in 0..100 {
        let response = send(&broker, "one", Method::GET, "/v1/jobs", String::new()).await;
        if response.status() != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    let (status, code, detail) = problem(refused).await;
    assert_eq!((status, code.as_str()), (429, "too-many"));
    assert!(detail.contains("--token-requests-max"), "{detail}");
    let other = send(&broker, "two", Method::GET, "/v1/jobs", String::new()).await;
    assert_eq!(other.status(), 200, "bob has his own");
}

#[tokio::test]
async fn what_only_an_operator_may_do_is_closed_to_others() {
    let (submit, admin) = (file("one\n"), file("root:two\n"));
    let admin = format!("--admin-tokens={}", admin.path().display());
    let broker = start(&submit, &[&admin]).await;
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (method, path) in [
        (Method::POST, format!("/v1/providers/{id}/drain")),
        (Method::POST, format!("/v1/providers/{id}/kick")),
        (Method::POST, format!("/v1/providers/{id}/ban")),
        (Method::DELETE, format!("/v1/bans/{id}")),
    ] {
        let closed = send(&broker, "one", method.clone(), &path, String::new()).await;
        assert_eq!(closed.status(), 403, "{method} {path}");
        let nobody = send(&broker, "two", method.clone(), &path, String::new()).await;
        assert_eq!(problem(nobody).await.1, "not-found", "{method} {path}");
    }
    assert_eq!(
        send(&broker, "one", Method::GET, "/v1/bans", String::new())
            .await
            .status(),
        403
    );
    let bans = send(&broker, "two", Method::GET, "/v1/bans", String::new()).await;
    assert_eq!(body(bans, 200).await, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn stored_bytes_are_counted_for_each_owner() {
    let tokens = file("alice:one\nbob:two\n");
    let broker = start(&tokens, &["--token-stored-max=10B"]).await;
    let put = async |token: &str, name: &str, bytes: &str| {
        let path = format!("/v1/blobs/{name}");
        send(&broker, token, Method::PUT, &path, bytes.to_owned()).await
    };
    assert_eq!(put("one", "a", "0123456789").await.status(), 201);
    let more = put("one", "b", "x").await;
    let (status, code, detail) = problem(more).await;
    assert_eq!((status, code.as_str()), (413, "too-large"));
    assert!(detail.contains("--token-stored-max"), "{detail}");
    assert_eq!(
        put("two", "b", "xxxxxxxxxx").await.status(),
        201,
        "bob has his own"
    );
    let delete = send(&broker, "one", Method::DELETE, "/v1/blobs/a", String::new()).await;
    assert_eq!(delete.status(), 204);
    assert_eq!(put("one", "c", "y").await.status(), 201);
}
