//! What a user of the API relies on: jobs, their results, and blobs.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use wasipool_evaluation::model::{Job, Page, TaskResult};
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::scenario::with_pool;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_job_gives_its_results_in_task_order() {
    with_pool(&Setup::broker().native("native", 2).tab(1), async |pool| {
        let client = &pool.client;
        client.put_guests(&["hello", "exit"]).await?;

        // `{index}`, defaults, and env that is merged.
        let job = json!({
            "name": "greetings",
            "module": "hello.wasm",
            "count": 25,
            "defaults": { "args": ["task-{index}", "{index}{index}"] },
            "labels": { "team": "blue" },
        });
        let job = client.submit_and_wait(&job, "60s").await?;
        assert_eq!(
            (job.state.as_str(), job.count("succeeded"), job.tasks),
            ("succeeded", 25, 25)
        );
        assert!((job.progress - 1.0).abs() < f64::EPSILON, "{job:?}");
        let waited = job.results.expect("a job that was waited for has results");
        let results = client.results(&job.id).await?;
        assert_eq!((waited.len(), results.len()), (25, 25));
        for (at, (result, waited)) in results.iter().zip(&waited).enumerate() {
            assert_eq!(result.task, format!("{}.{at}", job.id));
            let stdout =
                format!("hello from rust\narg[0]=hello.wasm\narg[1]=task-{at}\narg[2]={at}{at}\n");
            assert_eq!(result.stdout.as_deref(), Some(stdout.as_str()));
            assert_eq!(waited.stdout, result.stdout);
        }
        let raw = client
            .get(&format!("/v1/jobs/{}/tasks/7/stdout", job.id))
            .await?;
        assert!(raw.text().contains("arg[1]=task-7\n"), "{raw}");

        // Pages of tasks, one after the other.
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut page = client
                .request(Method::GET, &format!("/v1/jobs/{}/tasks", job.id))
                .query("limit", "10");
            if let Some(cursor) = &cursor {
                page = page.query("cursor", cursor);
            }
            let page: Page<TaskResult> = page.send_ok().await?.json()?;
            assert!(page.items.len() <= 10);
            seen.extend(page.items.iter().map(|result| result.index));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());

        // A task's own fields replace the defaults, its env joins theirs.
        let mixed = json!({
            "module": "hello.wasm",
            "defaults": { "args": ["default"], "env": { "A": "1", "B": "2" } },
            "tasks": [{}, { "args": ["own"], "env": { "B": "3", "C": "4" } }],
        });
        let mixed = client.submit_and_wait(&mixed, "60s").await?;
        let stdout = |result: &TaskResult| result.stdout.clone().unwrap_or_default();
        let results = client.results(&mixed.id).await?;
        assert!(
            stdout(&results[0]).ends_with("arg[1]=default\nA=1\nB=2\n"),
            "{results:?}"
        );
        assert!(
            stdout(&results[1]).ends_with("arg[1]=own\nA=1\nB=3\nC=4\n"),
            "{results:?}"
        );

        // A failed task fails its job; the others' results are there.
        let failing = json!({
            "module": "exit.wasm",
            "tasks": [{ "args": ["0"] }, { "args": ["9"] }, { "args": ["0"] }],
        });
        let failing = client.submit_and_wait(&failing, "60s").await?;
        assert_eq!(
            (failing.state.as_str(), failing.count("failed")),
            ("failed", 1)
        );
        let failed = client
            .get(&format!("/v1/jobs/{}/tasks?state=failed", failing.id))
            .await?;
        let failed: Page<TaskResult> = failed.json()?;
        assert_eq!(failed.items.len(), 1);
        assert_eq!(
            (failed.items[0].index, failed.items[0].exit_code),
            (1, Some(9))
        );

        // The newest job first; by label, only those that have it.
        let jobs: Page<Job> = client.get("/v1/jobs").await?.json()?;
        let ids: Vec<_> = jobs.items.iter().map(|job| job.id.as_str()).collect();
        assert_eq!(ids, [&*failing.id, &*mixed.id, &*job.id]);
        let blue = client
            .request(Method::GET, "/v1/jobs")
            .query("label", "team=blue");
        let blue: Page<Job> = blue.send_ok().await?.json()?;
        assert_eq!((blue.items.len(), &blue.items[0].id), (1, &job.id));
        Ok(())
    });
}

#[test]
fn one_shots_answer_with_the_guest_s_own_bytes() {
    with_pool(&Setup::broker().native("native", 2), async |pool| {
        let client = &pool.client;
        client
            .put_guests(&["cat", "hello", "exit", "files", "noop"])
            .await?;

        let bytes: Vec<u8> = (0..=255).cycle().take(400_000).collect();
        let reply = client.run("cat.wasm").body(bytes.clone()).send_ok().await?;
        assert!(reply.body == bytes, "{} bytes came back", reply.body.len());
        assert_eq!(reply.header("wasipool-state"), "succeeded");
        assert_eq!(reply.header("wasipool-exit-code"), "0");
        assert_eq!(reply.header("wasipool-attempts"), "1");
        for name in ["wasipool-task", "wasipool-provider"] {
            assert!(!reply.header(name).is_empty(), "{:?}", reply.headers);
        }

        let run = client
            .run("hello.wasm")
            .query("arg", "b a")
            .query("arg", "ä&=")
            .query("env", "K=v=w");
        let reply = run.send_ok().await?;
        let expected = "hello from rust\narg[0]=hello.wasm\narg[1]=b a\narg[2]=ä&=\nK=v=w\n";
        assert_eq!(reply.text(), expected);

        let reply = client.run("exit.wasm").query("arg", "4").send().await?;
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (StatusCode::OK, "going\n")
        );
        assert_eq!(reply.header("wasipool-state"), "failed");
        assert_eq!(reply.header("wasipool-exit-code"), "4");
        let reply = client
            .run("exit.wasm")
            .query("arg", "4")
            .query("fail", "1")
            .send()
            .await?;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
        let problem = reply.problem()?;
        assert_eq!(problem.code, "failed");
        assert_eq!(problem.stderr.as_deref(), Some("exit with 4\n"));

        let run = client.run("files.wasm").query("artifact", "out/a.txt");
        let result: TaskResult = run
            .header("accept", "application/json")
            .send_ok()
            .await?
            .json()?;
        assert_eq!(result.state, "succeeded");
        let paths: Vec<_> = result
            .artifacts
            .iter()
            .map(|artifact| artifact.path.as_str())
            .collect();
        assert_eq!(paths, ["out/a.txt"]);

        // The body itself as the module.
        let module = wasipool_evaluation::programs::guest("hello-wat")?;
        let run = client
            .request(Method::POST, "/v1/run")
            .header("content-type", "application/wasm");
        let text = run.body(module).send_ok().await?.text();
        assert_eq!(text, "hello from wat\narg[0]=module.wasm\n");
        Ok(())
    });
}

#[test]
fn a_cancelled_job_frees_its_slots() {
    with_pool(&Setup::broker().native("native", 1).tab(1), async |pool| {
        let client = &pool.client;
        client.put_guests(&["spin", "noop"]).await?;
        for (name, kind) in [("native", "native"), ("tab", "browser")] {
            let requires = json!({ "kind": kind });
            let endless = json!({
                "module": "spin.wasm",
                "count": 2,
                "defaults": { "timeout": "1h" },
                "requires": requires,
            });
            let endless = client.submit(&endless).await?;
            let busy = async |count: u32, limit: Duration| {
                let what = format!("{name} has {count} busy slots");
                let is = |busy| busy == count;
                client
                    .providers_until(&what, limit, |all| {
                        let provider = all.iter().find(|provider| provider.name == name)?;
                        is(provider.busy).then_some(())
                    })
                    .await
            };
            busy(1, LIMIT).await?;
            client.cancel(&endless.id).await?;
            busy(0, Duration::from_secs(2)).await?;
            let job = client.ended(&endless.id, LIMIT).await?;
            assert_eq!(
                (job.state.as_str(), job.count("cancelled")),
                ("cancelled", 2)
            );
            // Not only the books say so.
            let next = json!({ "module": "noop.wasm", "count": 1, "requires": requires });
            let next = client.submit_and_wait(&next, "5s").await?;
            assert_eq!(next.state, "succeeded", "{name}");
        }
        Ok(())
    });
}

#[test]
fn a_resend_with_the_same_key_is_the_same_job() {
    with_pool(&Setup::broker(), async |pool| {
        let client = &pool.client;
        client.put_guests(&["noop"]).await?;
        let submit = async |key: &str, count: u32| {
            let request = client.request(Method::POST, "/v1/jobs");
            let job = json!({ "module": "noop.wasm", "count": count });
            request
                .header("idempotency-key", key)
                .json(&job)
                .send_ok()
                .await?
                .json::<Job>()
        };
        let first = submit("a", 3).await?;
        let again = submit("a", 3).await?;
        let other = submit("b", 3).await?;
        assert_eq!(first.id, again.id);
        assert_ne!(first.id, other.id);
        let jobs: Page<Job> = client.get("/v1/jobs").await?.json()?;
        assert_eq!(jobs.items.len(), 2);
        Ok(())
    });
}

#[test]
fn blobs_come_back_as_they_went() {
    with_pool(&Setup::broker(), async |pool| {
        let client = &pool.client;
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let put = |name: &str, bytes: Vec<u8>| {
            client
                .request(Method::PUT, &format!("/v1/blobs/{name}"))
                .body(bytes)
        };
        let first = put("data.bin", bytes.clone()).send().await?;
        assert_eq!(first.status, StatusCode::CREATED);
        let blob: wasipool_evaluation::model::Blob = first.json()?;
        assert_eq!(
            (blob.name.as_deref(), blob.size, blob.kind.as_str()),
            (Some("data.bin"), 10_000, "data")
        );
        assert!(blob.module.is_none());
        let same = put("data.bin", bytes.clone()).send().await?;
        assert_eq!(same.status, StatusCode::OK);

        for reference in ["data.bin", &blob.digest] {
            let path = format!("/v1/blobs/{reference}");
            assert!(client.get(&path).await?.body == bytes);
            let head = client.request(Method::HEAD, &path).send_ok().await?;
            assert_eq!(
                (head.header("content-length"), head.body.len()),
                ("10000", 0)
            );
            let part = client
                .request(Method::GET, &path)
                .header("range", "bytes=100-199");
            let part = part.send().await?;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
            assert_eq!(part.header("content-range"), "bytes 100-199/10000");
            assert_eq!(part.body, bytes[100..200]);
        }
        let beyond = client
            .request(Method::GET, "/v1/blobs/data.bin")
            .header("range", "bytes=10000-");
        assert_eq!(
            beyond.send().await?.status,
            StatusCode::RANGE_NOT_SATISFIABLE
        );
        let immutable = client.get(&format!("/v1/blobs/{}", blob.digest)).await?;
        assert!(
            immutable.header("cache-control").contains("immutable"),
            "{:?}",
            immutable.headers
        );

        // A name moves; what it pointed to before is another blob.
        let moved = client.put_blob("data.bin", *b"other").await?;
        assert_ne!(moved.digest, blob.digest);
        assert_eq!(client.get("/v1/blobs/data.bin").await?.body, b"other");

        client.put_guests(&["noop"]).await?;
        let list: Page<wasipool_evaluation::model::Blob> = client.get("/v1/blobs").await?.json()?;
        let names: Vec<_> = list
            .items
            .iter()
            .filter_map(|blob| blob.name.as_deref())
            .collect();
        assert_eq!(names, ["data.bin", "noop.wasm"]);

        let delete = client.request(Method::DELETE, "/v1/blobs/data.bin");
        delete.send_ok().await?;
        let gone = client
            .request(Method::GET, "/v1/blobs/data.bin")
            .send()
            .await?;
        assert_eq!(gone.problem()?.code, "unknown-blob");
        Ok(())
    });
}
