//! Errors are problem documents.

use reqwest::Method;

use crate::broker::{Broker, problem};

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
        ("POST", "/v1/run", "data", 415, "unsupported-media-type"),
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
