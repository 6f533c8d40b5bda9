//! Names, pages, bodies, archives, and how many tasks wait.

use std::io::{Cursor, Write as _};

use reqwest::Method;
use serde_json::json;
use wasipool_shared::limits::{ARGS_MAX, MIB};

use super::{Sent, check, job, limit, task, with_module};
use crate::broker;

fn zip(names: &[&str], content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn names_and_pages_have_limits() {
    let broker = with_module(&["--run-placement-timeout=100ms"]).await;
    let started = broker
        .post_job(&json!({"module": "m.wasm", "count": 1}))
        .await;
    let location = started.headers()["location"].to_str().unwrap().to_owned();
    let put = |bytes| Sent::new(Method::PUT, format!("/v1/blobs/{}", "n".repeat(bytes)), "x");
    let query = |count: usize| {
        Sent::new(
            Method::POST,
            format!("/v1/run/m.wasm?{}", "arg=&".repeat(count)),
            "",
        )
    };
    let mut limits = vec![
        limit(
            "bytes of a blob's name",
            (put(128), 201),
            (put(129), "invalid-request"),
            128,
        ),
        // Nobody is there to run it.
        limit(
            "arguments in a query",
            (query(ARGS_MAX), 503),
            (query(ARGS_MAX + 1), "invalid-request"),
            ARGS_MAX,
        ),
    ];
    let tasks = format!("{location}/tasks");
    for list in ["/v1/blobs", "/v1/jobs", &tasks] {
        let page = |items: u32| Sent::get(format!("{list}?limit={items}"));
        limits.push(limit(
            "items of a page",
            (page(1_000), 200),
            (page(1_001), "invalid-request"),
            1_000,
        ));
        limits.push(limit(
            "least items of a page",
            (page(1), 200),
            (page(0), "invalid-request"),
            1,
        ));
    }
    check(&broker, limits).await;
}

#[tokio::test]
async fn bodies_have_limits() {
    let sizes = [
        "--request-max=2KiB",
        "--blob-max=40KiB",
        "--job-tasks-max=10",
    ];
    let broker = with_module(&[&sizes[..], &["--run-placement-timeout=100ms"]].concat()).await;
    let padded = |bytes: usize| {
        let mut sent = job(&json!({}));
        sent.body.resize(bytes, b' ');
        sent
    };
    let tasks = |count| job(&json!({"tasks": vec![json!({}); count]}));
    let bytes = |method, path: &str, bytes: usize| Sent::new(method, path, vec![b'x'; bytes]);
    let (post, put) = (Method::POST, Method::PUT);
    let most = 40 * 1024;
    let blob = |what, path: &str, method: &Method, status| {
        let within = (bytes(method.clone(), path, most), status);
        let beyond = (bytes(method.clone(), path, most + 1), "too-large");
        limit(what, within, beyond, most)
    };
    let limits = vec![
        limit(
            "bytes of JSON",
            (padded(2_048), 202),
            (padded(2_049), "too-large"),
            2_048,
        ),
        limit(
            "tasks in a list",
            (tasks(10), 202),
            (tasks(11), "invalid-request"),
            10,
        ),
        blob("bytes of a blob", "/v1/blobs/x", &put, 201),
        blob("bytes of a blob without a name", "/v1/blobs", &post, 200),
        blob("the same with a slash", "/v1/blobs/", &post, 200),
        // Nobody is there to run it.
        blob("bytes of an input", "/v1/run/m.wasm", &post, 503),
    ];
    check(&broker, limits).await;
}

/// The earlier system's endpoints have the same limits and tell them in their own way.
#[tokio::test]
async fn earlier_clients_have_the_same_limits() {
    let sizes = ["--request-max=2KiB", "--blob-max=4KiB", "--job-tasks-max=2"];
    let broker = with_module(&[&sizes[..], &["--run-placement-timeout=100ms"]].concat()).await;
    let batch = |runs: usize, bytes: usize| {
        let batch = json!({"bin": "m.wasm", "exec": vec![json!({}); runs]});
        let mut text = batch.to_string();
        text.extend(std::iter::repeat_n(' ', bytes - text.len()));
        text
    };
    let call = |bytes: usize| format!("{:<bytes$}", r#"{"params": {"binary": {"ref": "m.wasm"}}}"#);
    let run = "/api/broker/v1/run";
    let connect = "/api/client/wasimoff.v1.Tasks/RunWasip1";
    let (upload, store) = ("/api/broker/v1/upload?name=x", "/api/storage/upload");
    let name = |bytes: usize| format!("/api/broker/v1/upload?name={}", "n".repeat(bytes));
    for (path, kind, body, status, named) in [
        (run, "application/json", batch(1, 2_048), 200, ""),
        (run, "application/json", batch(1, 2_049), 413, "2048"),
        (run, "application/json", batch(2, 100), 200, ""),
        (
            run,
            "application/json",
            batch(3, 100),
            400,
            "limit of 2 tasks",
        ),
        (connect, "application/json", call(2_048), 503, ""),
        (connect, "application/json", call(2_049), 429, "2048"),
        (upload, "", "x".repeat(4_096), 200, ""),
        (upload, "", "x".repeat(4_097), 413, "4096"),
        (store, "application/zip", "x".repeat(4_096), 200, ""),
        (store, "application/zip", "x".repeat(4_097), 413, "4096"),
        (&name(128), "", "x".to_owned(), 200, ""),
        (&name(129), "", "x".to_owned(), 400, "128"),
        ("/api/client/run/m.wasm", "", "x".repeat(4_097), 503, ""),
    ] {
        let url = broker.url.clone() + path;
        let request = broker.client.post(url).header("content-type", kind);
        let what = format!("{path} with {} bytes", body.len());
        let response = request.body(body).send().await.unwrap();
        let found = response.status();
        let text = response.text().await.unwrap();
        assert!(
            found == status && text.contains(named),
            "{what}: {found} {text}"
        );
    }
}

#[tokio::test]
async fn archives_have_limits() {
    let settings = ["--archive-entries-max=2", "--archive-bytes-max=2MiB"];
    let broker = with_module(&settings).await;
    let free = usize::try_from(MIB).unwrap();
    let noise: Vec<u8> = (0..free).map(|at| ((at * at * 31) >> 7) as u8).collect();
    let mut limits = Vec::new();
    for (what, within, beyond, named) in [
        (
            "files in an archive",
            zip(&["a", "b"], b"x"),
            zip(&["a", "b", "c"], b"x"),
            "2 entries",
        ),
        // Up to a mebibyte any ratio is taken.
        (
            "ratio of an archive",
            zip(&["a"], &vec![0; free]),
            zip(&["a"], &vec![0; free + 1]),
            "100",
        ),
        (
            "bytes of an archive",
            zip(&["a", "b"], &noise),
            zip(&["a", "b"], &[&noise[..], b"x"].concat()),
            "2097152",
        ),
    ] {
        let mut refs = Vec::new();
        for content in [within, beyond] {
            let put = broker.send(Method::POST, "/v1/blobs", content).await;
            refs.push(broker::body(put, 201).await["digest"].take());
        }
        let [within, beyond] = [&refs[0], &refs[1]].map(|digest| task("files", digest));
        limits.push(limit(
            what,
            (within, 202),
            (beyond, "invalid-request"),
            named,
        ));
    }
    check(&broker, limits).await;
}

#[tokio::test]
async fn no_more_is_stored_than_may_be() {
    let broker = with_module(&["--stored-max=10000"]).await;
    // What has a name stays; the module is as large as `MODULE` is as binary.
    let module = broker::body(broker.get("/v1/blobs").await, 200).await;
    let left = 10_000 - usize::try_from(module["items"][0]["size"].as_u64().unwrap()).unwrap();
    let put = |name: &str, bytes| {
        let path = format!("/v1/blobs/{name}");
        Sent::new(Method::PUT, path, vec![b'x'; bytes])
    };
    let limits = vec![limit(
        "stored bytes",
        (put("all", left), 201),
        (put("more", 1), "too-large"),
        10_000,
    )];
    check(&broker, limits).await;
}

#[tokio::test]
async fn what_an_operator_says_has_limits() {
    let broker = with_module(&[]).await;
    let unknown = "/v1/providers/00000000000000000000000001/ban";
    let ban = |bytes: usize| Sent::new(Method::POST, unknown, format!("{:<bytes$}", "{}"));
    let reason = |bytes: usize| {
        let body = json!({"reason": "x".repeat(bytes)});
        Sent::new(Method::POST, unknown, body.to_string())
    };
    let limits = vec![
        limit(
            "bytes of a ban",
            (ban(16 * 1024), 404),
            (ban(16 * 1024 + 1), "too-large"),
            16 * 1024,
        ),
        limit(
            "bytes of its reason",
            (reason(1_024), 404),
            (reason(1_025), "invalid-request"),
            1_024,
        ),
    ];
    check(&broker, limits).await;
}

#[tokio::test]
async fn as_many_tasks_wait_as_may() {
    let broker = with_module(&["--queued-tasks-max=10"]).await;
    let limits = vec![limit(
        "tasks that wait",
        (job(&json!({"count": 10})), 202),
        (job(&json!({"count": 1})), "queue-full"),
        10,
    )];
    check(&broker, limits).await;
}
