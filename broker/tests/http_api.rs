//! The HTTP API of a broker without providers: blobs, jobs that wait, errors,
//! and who may do what.

#![expect(clippy::unwrap_used, reason = "tests end at the first surprise")]

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wasipool_broker::config::Config;
use wasipool_broker::serve::serve;

struct Broker {
    url: String,
    client: Client,
    stopping: CancellationToken,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Broker {
    async fn start(args: &[&str]) -> Self {
        let fixed = [
            "wasipool-broker",
            "--http=127.0.0.1:0",
            "--transport=127.0.0.1:0",
        ];
        let args = fixed.iter().chain(args).map(Into::into);
        let config = Config::load(args).unwrap();
        let stopping = CancellationToken::new();
        let (ready, is_ready) = tokio::sync::oneshot::channel::<SocketAddr>();
        let serving = serve(config, stopping.clone(), |at| ready.send(at.http).unwrap());
        tokio::spawn(async { serving.await.unwrap() });
        let url = format!("http://{}", is_ready.await.unwrap());
        Self {
            url,
            client: Client::new(),
            stopping,
        }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let url = format!("{}{path}", self.url);
        self.client
            .request(method, url)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, "").await
    }

    async fn post_job(&self, job: &Value) -> Response {
        self.send(Method::POST, "/v1/jobs", job.to_string()).await
    }
}

async fn body(response: Response, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status, "{}", response.url());
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The problem document of a response; its status is checked against itself.
async fn problem(response: Response) -> (u16, String, String) {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let status = response.status().as_u16();
    let document = body(response, status).await;
    assert_eq!(document["status"], status);
    let text = |member: &str| document[member].as_str().unwrap().to_owned();
    (status, text("code"), text("detail"))
}

const MODULE: &str =
    ";; nothing\n(module (memory (export \"memory\") 1) (func (export \"_start\")))";

#[tokio::test]
async fn blobs_are_put_found_and_deleted() {
    let broker = Broker::start(&[]).await;
    let put = broker.send(Method::PUT, "/v1/blobs/app.wasm", MODULE).await;
    let blob = body(put, 201).await;
    assert_eq!(
        (&blob["name"], &blob["kind"]),
        (&json!("app.wasm"), &json!("module"))
    );
    assert_eq!(blob["module"]["exports"], json!(["memory", "_start"]));
    assert_eq!(
        blob["module"]["memory"],
        json!({"min_pages": 1, "max_pages": null})
    );
    let digest = blob["digest"].as_str().unwrap();
    let again = broker.send(Method::PUT, "/v1/blobs/app.wasm", MODULE).await;
    assert_eq!(body(again, 200).await["digest"], digest);

    let found = broker.get(&format!("/v1/blobs/{digest}")).await;
    assert!(
        found.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(found.headers()["content-type"], "application/wasm");
    let binary = found.bytes().await.unwrap();
    assert!(binary.starts_with(b"\0asm"), "text is stored as binary");
    let head = broker.send(Method::HEAD, "/v1/blobs/app.wasm", "").await;
    assert_eq!(
        head.headers()["content-length"],
        binary.len().to_string().as_str()
    );
    let url = format!("{}/v1/blobs/app.wasm", broker.url);
    let part = broker
        .client
        .get(url)
        .header("range", "bytes=1-3")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), "asm");

    let posted = body(broker.send(Method::POST, "/v1/blobs", "data").await, 201).await;
    assert_eq!(
        (&posted["name"], &posted["kind"], &posted["size"]),
        (&Value::Null, &json!("data"), &json!(4))
    );
    let moved = body(
        broker.send(Method::PUT, "/v1/blobs/app.wasm", "data").await,
        201,
    )
    .await;
    assert_eq!(moved["digest"], posted["digest"]);
    body(broker.send(Method::PUT, "/v1/blobs/b", "data").await, 201).await;
    let page = body(broker.get("/v1/blobs?limit=1").await, 200).await;
    assert_eq!(
        (&page["items"][0]["name"], &page["next"]),
        (&json!("app.wasm"), &json!("app.wasm"))
    );
    let page = body(broker.get("/v1/blobs?cursor=app.wasm").await, 200).await;
    assert_eq!(
        (&page["items"][0]["name"], &page["next"]),
        (&json!("b"), &Value::Null)
    );

    let deleted = broker.send(Method::DELETE, "/v1/blobs/b", "").await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        problem(broker.get("/v1/blobs/b").await).await.1,
        "unknown-blob"
    );
}

#[tokio::test]
async fn what_cannot_run_is_refused_at_upload() {
    let broker = Broker::start(&[]).await;
    for (content, expected) in [
        ("(module\n (fun))", "line 2, column 3"),
        ("(module (func))", "_start"),
        (
            "(module (import \"env\" \"x\" (func)) (func (export \"_start\")))",
            "env.x",
        ),
        ("\0asm\x0d\0\x01\0", "component"),
        ("\0asm\x01\0\0\0\x01", "byte offset"),
    ] {
        let refused = broker.send(Method::PUT, "/v1/blobs/x", content).await;
        let (status, code, detail) = problem(refused).await;
        assert_eq!((status, code.as_str()), (422, "invalid-module"), "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    let (status, _, detail) = problem(broker.send(Method::PUT, "/v1/blobs/.x", "").await).await;
    assert_eq!(status, 400, "{detail}");
}

#[tokio::test]
async fn uploads_and_requests_have_limits() {
    let broker = Broker::start(&[
        "--blob-max=64KiB",
        "--request-max=1KiB",
        "--stored-max=100KiB",
    ])
    .await;
    let put = async |name: &str, size: usize| {
        broker
            .send(Method::PUT, &format!("/v1/blobs/{name}"), vec![b'x'; size])
            .await
    };
    body(put("a", 64 * 1024).await, 201).await;
    let (status, code, detail) = problem(put("b", 64 * 1024 + 1).await).await;
    assert_eq!((status, code.as_str()), (413, "too-large"));
    assert!(detail.contains("65536"), "{detail}");
    let (status, _, detail) = problem(put("c", 60 * 1024).await).await;
    assert_eq!(status, 413);
    assert!(detail.contains("102400"), "{detail}");
    let large = json!({"module": "x".repeat(1_024)});
    let (status, code, detail) = problem(broker.post_job(&large).await).await;
    assert_eq!((status, code.as_str()), (413, "too-large"));
    assert!(detail.contains("1024"), "{detail}");
}

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

#[tokio::test]
async fn errors_are_problem_documents() {
    let broker = Broker::start(&[]).await;
    broker.send(Method::PUT, "/v1/blobs/data", "data").await;
    for (method, path, content, status, code) in [
        ("GET", "/nope", "", 404, "not-found"),
        ("PATCH", "/v1/jobs", "", 405, "method-not-allowed"),
        ("GET", "/v1/jobs/x", "", 404, "unknown-job"),
        (
            "GET",
            "/v1/jobs/01arz3ndektsv4rrffq69g5fav",
            "",
            404,
            "unknown-job",
        ),
        ("GET", "/v1/jobs?limit=x", "", 400, "invalid-request"),
        ("GET", "/v1/jobs?colour=red", "", 400, "invalid-request"),
        ("GET", "/v1/blobs/%ff", "", 400, "invalid-request"),
        ("POST", "/v1/jobs", "{", 400, "invalid-request"),
        (
            "POST",
            "/v1/jobs",
            "{\"module\": \"nope\", \"count\": 1}",
            404,
            "unknown-blob",
        ),
        (
            "POST",
            "/v1/jobs",
            "{\"module\": \"data\", \"count\": 1}",
            422,
            "invalid-module",
        ),
        ("POST", "/v1/run/nope", "", 404, "unknown-blob"),
        ("POST", "/v1/run/data", "", 422, "invalid-module"),
        ("POST", "/v1/run/data?arg", "", 422, "invalid-module"),
        ("POST", "/v1/run/data?argh=1", "", 400, "invalid-request"),
        ("POST", "/v1/run", "data", 400, "invalid-request"),
        ("DELETE", "/v1/blobs/nope", "", 404, "unknown-blob"),
        ("PUT", "/v1/blobs/", "data", 400, "invalid-request"),
    ] {
        let response = broker.send(method.parse().unwrap(), path, content).await;
        let (found, found_code, detail) = problem(response).await;
        assert_eq!(
            (found, found_code.as_str()),
            (status, code),
            "{method} {path}: {detail}"
        );
    }
}

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
}

#[tokio::test]
async fn tokens_and_origins_are_checked() {
    let file = |token: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# for tests\n{token}").unwrap();
        file
    };
    let (submit, provide) = (file("s3cret"), file("j0in"));
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    let args = [
        format!("--submit-tokens={}", path(&submit)),
        format!("--provide-tokens={}", path(&provide)),
    ];
    let broker = Broker::start(&args.each_ref().map(String::as_str)).await;
    let send = async |method: Method, path: &str, token: Option<&str>, origin: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(
                "authorization",
                HeaderValue::try_from(format!("Bearer {token}")).unwrap(),
            );
        }
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::try_from(origin).unwrap());
        }
        let request = broker
            .client
            .request(method, format!("{}{path}", broker.url));
        request
            .headers(headers)
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .unwrap()
    };
    let own = broker.url.clone();
    for (method, path, token, origin, status) in [
        (Method::GET, "/v1/jobs", None, None, 401),
        (Method::GET, "/v1/jobs", Some("wrong"), None, 401),
        (Method::GET, "/v1/jobs", Some("j0in"), None, 403),
        (Method::GET, "/v1/jobs", Some("s3cret"), None, 200),
        (Method::POST, "/v1/tickets", Some("s3cret"), None, 403),
        (Method::POST, "/v1/tickets", Some("j0in"), None, 201),
        (
            Method::POST,
            "/v1/tickets",
            Some("j0in"),
            Some(own.as_str()),
            201,
        ),
        (
            Method::POST,
            "/v1/tickets",
            Some("j0in"),
            Some("https://evil.example"),
            403,
        ),
        (Method::GET, "/v1/stats", None, None, 401),
        (Method::GET, "/v1/stats", Some("j0in"), None, 200),
        (Method::GET, "/v1/transport", None, None, 200),
        (Method::GET, "/healthz", None, None, 200),
    ] {
        let response = send(method.clone(), path, token, origin).await;
        assert_eq!(
            response.status().as_u16(),
            status,
            "{method} {path} {token:?} {origin:?}"
        );
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin")
        );
    }
}
