//! What can go wrong says so exactly: the HTTP status, the code for programs,
//! and a detail that names what is wrong.

use reqwest::Method;
use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::http::Request;
use wasipool_evaluation::model::Problem;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::scenario::with_pool;

/// What a reply must be.
struct Expected {
    what: &'static str,
    request: Request,
    status: u16,
    code: &'static str,
    /// Each of them stands in the detail.
    names: &'static [&'static str],
}

fn expect(
    what: &'static str,
    request: Request,
    status: u16,
    code: &'static str,
    names: &'static [&'static str],
) -> Expected {
    Expected {
        what,
        request,
        status,
        code,
        names,
    }
}

/// Sends each request; all that is wrong is told at once.
async fn check(expected: Vec<Expected>) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for Expected {
        what,
        request,
        status,
        code,
        names,
    } in expected
    {
        let reply = request.send().await?;
        match reply.problem() {
            Err(error) => wrong.push(format!("{what}: {error:#}")),
            Ok(problem) => {
                if reply.status.as_u16() != status || problem.code != code {
                    wrong.push(format!("{what}: expected {status} {code}: {reply}"));
                }
                let missing = names.iter().filter(|name| !problem.detail.contains(**name));
                wrong.extend(missing.map(|name| format!("{what}: no {name:?} in {reply}")));
            }
        }
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

fn job(client: &Client, job: &Value) -> Request {
    client.request(Method::POST, "/v1/jobs").json(job)
}

fn upload(client: &Client, name: &str, bytes: impl Into<Vec<u8>>) -> Request {
    client
        .request(Method::PUT, &format!("/v1/blobs/{name}"))
        .body(bytes)
}

#[test]
fn requests_that_can_t_be_understood() {
    with_pool(&Setup::broker(), async |pool| {
        let client = &pool.client;
        client.put_guests(&["noop"]).await?;
        let raw = |body: &str| {
            let request = client.request(Method::POST, "/v1/jobs");
            request
                .header("content-type", "application/json")
                .body(body.as_bytes())
        };
        let noop = |fields: Value| {
            let mut whole = json!({ "module": "noop.wasm", "count": 1 });
            for (name, value) in fields.as_object().into_iter().flatten() {
                whole[name] = value.clone();
            }
            job(client, &whole)
        };
        let get = |path: &str| client.request(Method::GET, path);
        const INVALID: (u16, &str) = (400, "invalid-request");
        let invalid = |what, request, names| expect(what, request, INVALID.0, INVALID.1, names);
        check(vec![
            invalid(
                "JSON that ends early",
                raw("{\n  \"module\": \"noop.wasm\",\n"),
                &["line 3", "column"],
            ),
            invalid("no JSON", raw("module=noop"), &["line 1", "column 1"]),
            invalid(
                "an unknown field",
                noop(json!({ "modul": "x" })),
                &["modul"],
            ),
            invalid(
                "an unknown field of a task",
                noop(json!({ "defaults": { "arg": [] } })),
                &["arg", "args"],
            ),
            invalid("a wrong type", noop(json!({ "count": "one" })), &["count"]),
            invalid(
                "no module",
                job(client, &json!({ "count": 1 })),
                &["module"],
            ),
            invalid(
                "neither tasks nor count",
                job(client, &json!({ "module": "noop.wasm" })),
                &["tasks", "count"],
            ),
            invalid(
                "tasks and count",
                noop(json!({ "tasks": [{}] })),
                &["tasks", "count"],
            ),
            invalid("no task", noop(json!({ "count": 0 })), &["count", "1"]),
            invalid(
                "too many tasks",
                noop(json!({ "count": 1_000_001 })),
                &["count", "1000000"],
            ),
            invalid("no quorum", noop(json!({ "quorum": 0 })), &["quorum", "1"]),
            invalid(
                "a high priority",
                noop(json!({ "priority": 101 })),
                &["priority", "100"],
            ),
            invalid(
                "a kind that doesn't exist",
                noop(json!({ "requires": { "kind": "gpu" } })),
                &["kind", "native", "browser"],
            ),
            invalid(
                "too many arguments",
                noop(json!({ "defaults": { "args": vec!["x"; 1_025] } })),
                &["args", "1024"],
            ),
            invalid(
                "too long arguments",
                noop(json!({ "defaults": { "args": ["x".repeat(128 * 1024 + 1)] } })),
                &["args", "131072"],
            ),
            invalid(
                "too large an environment",
                noop(json!({ "defaults": { "env": { "X": "x".repeat(128 * 1024) } } })),
                &["env", "131072"],
            ),
            invalid(
                "a time that is none",
                noop(json!({ "defaults": { "timeout": "soon" } })),
                &["timeout", "soon"],
            ),
            invalid(
                "a size that is none",
                noop(json!({ "defaults": { "memory": "much" } })),
                &["memory", "much"],
            ),
            invalid(
                "a file outside of the root",
                noop(json!({ "defaults": { "files": { "../up": "x" } } })),
                &["../up"],
            ),
            invalid(
                "base64 that is none",
                noop(json!({ "defaults": { "stdin": { "base64": "§" } } })),
                &["stdin", "base64"],
            ),
            invalid(
                "an unknown parameter",
                client.run("noop.wasm").query("argh", "x"),
                &["argh", "arg"],
            ),
            invalid(
                "a name that can't be one",
                upload(client, ".hidden", "x"),
                &[".hidden"],
            ),
            expect(
                "a module that isn't stored",
                job(client, &json!({ "module": "nothing.wasm", "count": 1 })),
                404,
                "unknown-blob",
                &["nothing.wasm"],
            ),
            expect(
                "stdin that isn't stored",
                noop(json!({ "defaults": { "stdin": { "blob": "no-input" } } })),
                404,
                "unknown-blob",
                &["no-input", "stdin"],
            ),
            expect(
                "a run of nothing",
                client.run("nothing.wasm"),
                404,
                "unknown-blob",
                &["nothing.wasm"],
            ),
            expect(
                "a blob that isn't there",
                get("/v1/blobs/nothing"),
                404,
                "unknown-blob",
                &["nothing"],
            ),
            expect(
                "an unknown job",
                get("/v1/jobs/nothing"),
                404,
                "unknown-job",
                &["nothing"],
            ),
            expect(
                "an unknown job, of the right form",
                get("/v1/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV/results"),
                404,
                "unknown-job",
                &["01ARZ3NDEKTSV4RRFFQ69G5FAV"],
            ),
            expect(
                "an unknown route",
                get("/v1/nothing"),
                404,
                "not-found",
                &["/v1/nothing"],
            ),
            expect(
                "a method that isn't there",
                client.request(Method::PATCH, "/v1/jobs"),
                405,
                "method-not-allowed",
                &[],
            ),
            expect(
                "a page of another origin",
                job(client, &json!({ "module": "noop.wasm", "count": 1 }))
                    .header("origin", "https://elsewhere.example"),
                403,
                "forbidden",
                &["https://elsewhere.example"],
            ),
        ])
        .await
    });
}

#[test]
fn modules_that_can_t_run() {
    with_pool(&Setup::broker(), async |pool| {
        let client = &pool.client;
        let put = |bytes: &[u8]| upload(client, "bad.wasm", bytes);
        let module =
            |what, bytes: &[u8], names| expect(what, put(bytes), 422, "invalid-module", names);
        check(vec![
            module("damaged wasm", b"\0asm\x01\0\0\0\xff\xff\xff", &["offset"]),
            module("an unknown version", b"\0asm\x02\0\0\0", &["offset"]),
            module("a component", b"\0asm\x0d\0\x01\0", &["component", "wasm32-wasip1"]),
            module("no _start", b"(module (func (export \"main\")))", &["_start"]),
            module(
                "an import of something else",
                b"(module (import \"env\" \"launch\" (func)) (func (export \"_start\")))",
                &["env.launch"],
            ),
            module(
                "an import that WASI doesn't have",
                b"(module (import \"wasi_snapshot_preview1\" \"fd_fly\" (func)) (func (export \"_start\")))",
                &["fd_fly"],
            ),
            module("text with a mistake", b"(module\n  (func (export \"_start\") i32.ad))", &["line 2", "column"]),
            expect(
                "a mistake in a module that is run at once",
                client
                    .request(Method::POST, "/v1/run")
                    .header("content-type", "application/wasm")
                    .body("no module"),
                422,
                "invalid-module",
                &[],
            ),
        ])
        .await?;
        client.put_blob("note.txt", "no module").await?;
        let data = job(client, &json!({ "module": "note.txt", "count": 1 }));
        check(vec![expect(
            "data as a module",
            data,
            422,
            "invalid-module",
            &["note.txt"],
        )])
        .await
    });
}

#[test]
fn guests_that_end_badly() {
    with_pool(&Setup::broker().native("native", 2).tab(1), async |pool| {
        let client = &pool.client;
        client
            .put_guests(&["trap", "spin", "hog", "flood", "noop"])
            .await?;
        for kind in ["native", "browser"] {
            let run = |module: &str| client.run(module).query("requires", kind);
            check(vec![
                expect(
                    "a trap",
                    run("trap.wasm"),
                    422,
                    "trapped",
                    &["unreachable", "innermost"],
                ),
                expect(
                    "a time-out",
                    run("spin.wasm").query("timeout", "300ms"),
                    504,
                    "timed-out",
                    &["timeout"],
                ),
                expect(
                    "too much memory",
                    run("hog.wasm").query("memory", "32MiB"),
                    422,
                    "out-of-memory",
                    &["memory"],
                ),
                expect(
                    "too much output",
                    run("flood.wasm").query("output", "64KiB"),
                    422,
                    "output-exceeded",
                    &["stdout", "output"],
                ),
            ])
            .await?;
        }
        // The state is in the headers too, and what the guest said in the document.
        let reply = client
            .run("hog.wasm")
            .query("memory", "32MiB")
            .send()
            .await?;
        assert_eq!(reply.header("wasipool-state"), "out_of_memory");
        let stderr = reply.problem()?.stderr.unwrap_or_default();
        assert!(stderr.contains("no more memory"), "{stderr}");
        Ok(())
    });
}

#[test]
fn tasks_that_nobody_can_run() {
    with_pool(&Setup::broker().native("native", 1), async |pool| {
        let client = &pool.client;
        client.put_guests(&["noop"]).await?;
        // A run that somebody waits for is not kept for long; meanwhile, a job.
        let run = client.run("noop.wasm").query("requires", "browser").send();
        let job = async {
            let job = json!({
                "module": "noop.wasm",
                "count": 2,
                "requires": { "kind": "browser" },
                "placement_timeout": "200ms",
            });
            let job = client.submit_and_wait(&job, "20s").await?;
            assert_eq!((job.state.as_str(), job.count("rejected")), ("failed", 2));
            let result = client.result(&job.id, 0).await?;
            assert_eq!((result.state.as_str(), result.attempts), ("rejected", 0));
            let reason = result.reason.unwrap_or_default();
            assert!(reason.contains("no provider of kind browser"), "{reason}");
            anyhow::Ok(())
        };
        let (run, job) = tokio::join!(run, job);
        job?;
        let run = run?;
        let Problem { code, detail, .. } = run.problem()?;
        assert_eq!(
            (run.status.as_u16(), code.as_str()),
            (503, "rejected"),
            "{run}"
        );
        assert!(detail.contains("no provider of kind browser"), "{run}");
        let seconds: u32 = run.header("retry-after").parse()?;
        assert!(seconds > 0, "{run}");
        Ok(())
    });
}
