//! Blobs: upload, names, downloads, what is refused.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::broker::{Broker, MODULE, body, problem};

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
