//! The job API on a real pool: what a task does now, downloads, archives, cancel.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::{Page, Step};
use wasipool_evaluation::pool::{Pool, Setup};
use wasipool_evaluation::scenario::with_pool;
use wasipool_evaluation::wait::until;

const LIMIT: Duration = Duration::from_secs(60);
/// Processor time after which a guest is known to run.
const SPIN: Duration = Duration::from_millis(300);

/// The indexes of a job's tasks in that state.
async fn indexes(client: &Client, id: &str, state: &str) -> anyhow::Result<Vec<u32>> {
    let path = format!("/v1/jobs/{id}/tasks?state={state}");
    let page: Page<Value> = client.get(&path).await?.json()?;
    let index = |task: &Value| serde_json::from_value(task["index"].clone());
    Ok(page.items.iter().map(index).collect::<Result<_, _>>()?)
}

#[test]
fn each_task_says_what_it_does() {
    with_pool(&Setup::broker().native("native", 1), async |pool| {
        let client = &pool.client;
        client.put_guests(&["spin", "hello"]).await?;
        let job = json!({ "module": "spin.wasm", "count": 9, "defaults": { "timeout": "10m" } });
        let id = client.submit(&job).await?.id;
        // The first one runs; perhaps some wait at the provider already.
        let running = until("one task runs", LIMIT, async || {
            let running = indexes(client, &id, "running").await?;
            Ok(running.contains(&0).then_some(running))
        })
        .await?;
        let queued = indexes(client, &id, "queued").await?;
        assert!(queued.contains(&8), "{running:?} {queued:?}");
        assert_eq!([running, queued].concat(), (0..9).collect::<Vec<_>>());
        let running: Value = client
            .get(&format!("/v1/jobs/{id}/tasks/0"))
            .await?
            .json()?;
        assert_eq!(
            (&running["state"], &running["attempts"]),
            (&json!("running"), &json!(1))
        );
        assert_eq!(running["provider"]["name"], "native");
        let waiting: Value = client
            .get(&format!("/v1/jobs/{id}/tasks/8"))
            .await?
            .json()?;
        assert_eq!(
            (&waiting["state"], &waiting["attempts"]),
            (&json!("queued"), &json!(0))
        );

        // Its trace tells what happened until now.
        let steps = client.trace(&id, 0).await?;
        let names: Vec<_> = steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["received", "queued", "sent"]);
        assert!(steps[2].provider.is_some() && steps[2].attempt.is_some());
        let steps = client.trace(&id, 8).await?;
        assert_eq!(steps.len(), 2, "{steps:?}");

        client.cancel(&id).await?;
        assert_eq!(indexes(client, &id, "cancelled").await?.len(), 9);
        assert!(indexes(client, &id, "running").await?.is_empty());

        let job = json!({ "module": "hello.wasm", "count": 1 });
        let id = client.submit_and_wait(&job, "60s").await?.id;
        let steps = client.trace(&id, 0).await?;
        let names: Vec<_> = steps.iter().map(|step| step.step.as_str()).collect();
        let whole = ["received", "queued", "sent", "started", "ended", "stored"];
        assert_eq!(names, whole);
        let in_order = steps.is_sorted_by(|one, next| one.after_ms <= next.after_ms);
        assert!(in_order, "{steps:?}");
        Ok(())
    });
}

/// How long a cancelled guest may still be there.
const STOP_MAX: Duration = Duration::from_secs(1);
/// Cancels of which one has to be that quick: others may be held up by whatever else
/// the machine does.
const CANCELS: usize = 5;

/// When the first step of that name happened, on the broker's clock.
fn at(steps: &[Step], name: &str) -> anyhow::Result<SystemTime> {
    let step = steps.iter().find(|step| step.step == name);
    let step = step.with_context(|| format!("no step {name:?} in {steps:?}"))?;
    Ok(humantime::parse_rfc3339(&step.at)?)
}

/// Cancels a guest that never gives way; how long after that, by the broker's record, the
/// provider's only slot had ended the task that waited for it.
async fn stop_one(pool: &Pool, name: &str, kind: &str) -> anyhow::Result<Duration> {
    let client = &pool.client;
    let requires = json!({ "kind": kind });
    let job = |module: &str| json!({ "module": module, "count": 1, "requires": requires, "defaults": { "timeout": "10m" } });
    let spinning = client.submit(&job("spin.wasm")).await?.id;
    client
        .providers_until("the slot is taken", LIMIT, |all| {
            let mut all = all.iter();
            all.find(|it| it.kind == kind && it.busy == 1).map(drop)
        })
        .await?;
    // What computes there is the guest: nothing else has anything to do.
    pool.process(name).computed(SPIN, LIMIT).await?;
    let waiting = client.submit(&job("noop.wasm")).await?.id;
    assert_eq!(client.job(&waiting).await?.count("succeeded"), 0, "{kind}");

    let cancelled: Value = client.cancel(&spinning).await?.json()?;
    assert_eq!(cancelled["state"], "cancelled", "{kind}");
    let next = client.ended(&waiting, LIMIT).await?;
    assert_eq!(next.state, "succeeded", "{kind}");
    let cancelled = at(&client.trace(&spinning, 0).await?, "revoked")?;
    let free = at(&client.trace(&waiting, 0).await?, "ended")?;
    Ok(free.duration_since(cancelled)?)
}

/// A guest that never gives way is stopped on both kinds, and its slot is free, within a
/// second.
#[test]
fn cancelled_guests_stop() {
    with_pool(&Setup::broker().native("native", 1).tab(1), async |pool| {
        let client = &pool.client;
        client.put_guests(&["spin", "noop"]).await?;
        for (name, kind) in [("native", "native"), ("tab", "browser")] {
            // Modules are sent and compiled before it is measured.
            for module in ["noop.wasm", "spin.wasm"] {
                let warm = json!({
                    "module": module,
                    "count": 1,
                    "requires": { "kind": kind },
                    "defaults": { "timeout": "10ms" },
                });
                let id = client.submit(&warm).await?.id;
                client.ended(&id, LIMIT).await?;
            }
            let mut took = Vec::new();
            while took.len() < CANCELS && took.iter().all(|took| *took >= STOP_MAX) {
                took.push(stop_one(pool, name, kind).await?);
            }
            #[expect(clippy::print_stderr, reason = "shown with --no-capture")]
            {
                eprintln!("{kind}: the slot had run another task {took:?} after the cancel");
            }
            assert!(took.iter().any(|took| *took < STOP_MAX), "{kind}: {took:?}");
        }
        Ok(())
    });
}

#[test]
fn files_come_back_whole_in_parts_and_as_archives() {
    with_pool(&Setup::broker().native("native", 2), async |pool| {
        let client = &pool.client;
        client.put_guests(&["files"]).await?;
        let job = json!({
            "module": "files.wasm",
            "count": 2,
            "defaults": { "artifacts": ["out/*"] },
        });
        let job = client.submit_and_wait(&job, "60s").await?;
        assert_eq!(job.state, "succeeded", "{job:?}");
        let task = format!("/v1/jobs/{}/tasks/1", job.id);
        let whole = client.get(&format!("{task}/artifacts/out/b.bin")).await?;
        assert_eq!(whole.body.len(), 100_000);
        assert_eq!(
            whole.header("content-disposition"),
            "attachment; filename=\"b.bin\""
        );
        assert_eq!(
            whole.header("content-security-policy"),
            "default-src 'none'; sandbox"
        );
        let part = client
            .request(Method::GET, &format!("{task}/artifacts/out/b.bin"))
            .header("range", "bytes=99990-")
            .send_ok()
            .await?;
        assert_eq!(
            (part.status.as_u16(), &part.body[..]),
            (206, &whole.body[99_990..])
        );
        let known = client
            .request(Method::GET, &format!("{task}/artifacts/out/b.bin"))
            .header("if-none-match", whole.header("etag"))
            .send()
            .await?;
        assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
        let head = client
            .request(Method::HEAD, &format!("{task}/artifacts/out/b.bin"))
            .send_ok()
            .await?;
        assert_eq!(head.header("content-length"), "100000");

        for (path, names) in [
            (
                format!("{task}/artifacts.zip"),
                vec!["out/a.txt", "out/b.bin"],
            ),
            (
                format!("/v1/jobs/{}/artifacts.zip", job.id),
                vec!["0/out/a.txt", "0/out/b.bin", "1/out/a.txt", "1/out/b.bin"],
            ),
        ] {
            let archive = client.get(&path).await?;
            assert_eq!(archive.header("content-type"), "application/zip");
            let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive.body))?;
            let mut found = Vec::new();
            for at in 0..zip.len() {
                let mut file = zip.by_index(at)?;
                let mut content = Vec::new();
                file.read_to_end(&mut content)?;
                if file.name()?.ends_with("b.bin") {
                    assert!(content == whole.body, "{path}");
                }
                found.push(file.name()?.into_owned());
            }
            assert_eq!(found, names, "{path}");
        }
        Ok(())
    });
}

/// Readers that take nothing hold nobody up, and nothing piles up for them.
#[test]
fn a_slow_reader_stops_nothing_and_costs_no_memory() {
    const TASKS: u32 = 50_000;
    const READERS: usize = 40;
    /// Far below what all results are for all readers: about 800 MB.
    const GROWTH_MAX: u64 = 200 * 1024 * 1024;
    with_pool(&Setup::broker().native("native", 2), async |pool| {
        let client = pool.client.clone();
        client.put_guests(&["noop"]).await?;
        let job = json!({ "module": "noop.wasm", "count": TASKS });
        let id = client.submit(&job).await?.id;
        let address = client.base().trim_start_matches("http://").to_owned();
        let before = pool.broker_usage()?.resident_bytes;
        let mut readers = Vec::new();
        for reader in 0..READERS {
            let order = ["", "&order=completion"][reader % 2];
            let path = format!("/v1/jobs/{id}/results?follow=1{order}");
            let mut stream = TcpStream::connect(&address)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
            let mut begin = [0; 12];
            stream.read_exact(&mut begin)?;
            assert_eq!(&begin, b"HTTP/1.1 200");
            readers.push(stream);
        }
        let ended = client.ended(&id, Duration::from_secs(120)).await?;
        assert_eq!(ended.count("succeeded"), TASKS);
        let lines = client.get(&format!("/v1/jobs/{id}/results")).await?;
        let count = lines.body.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(count, TASKS as usize, "another reader gets all");
        let grown = pool.broker_usage()?.resident_bytes.saturating_sub(before);
        assert!(grown < GROWTH_MAX, "{} MiB", grown >> 20);

        // Who reads in the end has missed nothing.
        let mut late = BufReader::new(readers.swap_remove(0));
        late.get_ref().set_read_timeout(Some(LIMIT))?;
        let mut results = 0;
        let mut line = String::new();
        while results < TASKS {
            line.clear();
            assert!(late.read_line(&mut line)? > 0, "cut off after {results}");
            results += u32::from(line.starts_with('{'));
        }
        Ok(())
    });
}
