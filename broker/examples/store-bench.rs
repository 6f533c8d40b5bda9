//! How many tasks the store makes durable in a second: prints a table.
//!
//! Usage: `store-bench [TASKS [DIR]]`; without a folder, one for temporary files.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use tokio::task::JoinSet;
use wasipool_broker::driver::{ModuleInfo, NewJob, Requires, Tasks};
use wasipool_broker::store::{Store, StoreSettings, TaskRecord, TaskState, TaskTiming, TraceStep};
use wasipool_shared::capacity::Features;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{JobId, ProviderId};
use wasipool_shared::task::{Files, Payload, TaskLimits, TaskSpec};

/// Tasks without an argument.
const TASKS: u32 = 200_000;
/// Results that the driver hands over together when it is busy.
const TOGETHER: u32 = 512;
/// Clients that submit jobs of one task at the same time.
const CLIENTS: u32 = 256;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let tasks = args
        .next()
        .map_or(Ok(TASKS), |tasks| tasks.parse())
        .context("TASKS")?;
    let folder = args.next().map(PathBuf::from);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        println!("{:<44} {:>10} {:>12}", "what", "seconds", "tasks/s");
        for durable in [true, false] {
            let temporary = tempfile::tempdir()?;
            let folder = folder
                .clone()
                .unwrap_or_else(|| temporary.path().to_owned());
            let folder = folder.join("store-bench");
            let settings = StoreSettings {
                folder: durable.then(|| folder.clone()),
                ..StoreSettings::default()
            };
            let store = Store::open(settings).await?;
            let place = if durable { "on disk" } else { "in memory" };
            row(
                &format!("one job, results come, {place}"),
                tasks,
                one_job(&store, tasks).await?,
            );
            let jobs = (tasks / 10).max(1);
            let took = many_jobs(&store, jobs).await?;
            row(
                &format!("jobs of one task, {CLIENTS} clients, {place}"),
                jobs,
                took,
            );
            if durable {
                let took = read_all(&store, tasks).await?;
                row("the one job's results are read", tasks, took);
                drop(store);
                std::fs::remove_dir_all(&folder)?;
            }
        }
        Ok(())
    })
}

fn row(what: &str, tasks: u32, took: Duration) {
    let seconds = took.as_secs_f64();
    let rate = f64::from(tasks) / seconds;
    println!("{what:<44} {seconds:>10.2} {rate:>12.0}");
}

fn job(number: u32) -> JobId {
    JobId::from_parts(1_700_000_000_000, u128::from(number))
}

/// Until a job and each of its results are on the disk.
async fn one_job(store: &Store, tasks: u32) -> anyhow::Result<Duration> {
    let began = Instant::now();
    store.insert_job(job(0), &new_job(tasks)).await?;
    for from in (0..tasks).step_by(TOGETHER as usize) {
        let indexes = from..(from + TOGETHER).min(tasks);
        let results = indexes.map(|index| (job(0), index, record(index)));
        store.finish_tasks(results.collect()).await;
    }
    store.flush().await;
    let took = began.elapsed();
    let ended = store.jobs().job(job(0)).await.context("the job is there")?;
    anyhow::ensure!(ended.counts.ended() == tasks, "not all results are stored");
    Ok(took)
}

/// Until each of many jobs is on the disk, and then its result.
async fn many_jobs(store: &Store, jobs: u32) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let store = store.clone();
        clients.spawn(async move {
            for number in (client..jobs).step_by(CLIENTS as usize) {
                let id = job(1 + number);
                store.insert_job(id, &new_job(1)).await?;
                store.finish_tasks(vec![(id, 0, record(number))]).await;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    store.flush().await;
    Ok(began.elapsed())
}

async fn read_all(store: &Store, tasks: u32) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut read = 0;
    while read < tasks as usize {
        let results = store.jobs().completed(job(0), read, 256).await;
        anyhow::ensure!(!results.is_empty(), "results are missing");
        read += results.len();
    }
    Ok(began.elapsed())
}

/// A result as those of short tasks are.
fn record(number: u32) -> TaskRecord {
    let provider = ProviderId(7);
    let step = |after_ms: f64, step: &str, attempt: Option<u64>| TraceStep {
        at_ms: 1_700_000_000_000.0 + after_ms,
        step: step.to_owned().into(),
        attempt,
        provider: attempt.map(|_| provider),
        detail: None,
    };
    let attempt = Some(u64::from(number));
    TaskRecord {
        state: TaskState::Succeeded,
        exit_code: Some(0),
        reason: None,
        stdout: Bytes::from(format!("the result of task {number}\n")),
        stderr: Bytes::new(),
        artifacts: Vec::new(),
        provider: None,
        attempts: 1,
        timing: TaskTiming::default(),
        trace: vec![
            step(0.0, "received", None),
            step(0.0, "queued", None),
            step(1.5, "sent", attempt),
            step(1.9, "started", attempt),
            step(2.3, "ended", attempt),
            step(2.4, "stored", None),
        ],
        variants: Vec::new(),
    }
}

fn new_job(tasks: u32) -> NewJob {
    let spec = TaskSpec {
        args: vec!["bench.wasm".to_owned(), "{index}".to_owned()],
        env: Vec::new(),
        stdin: Payload::EMPTY,
        files: Files::None,
        artifacts: Vec::new(),
        limits: TaskLimits {
            timeout_ms: 60_000,
            memory_bytes: 1 << 28,
            output_bytes: 1 << 24,
            artifact_bytes: 1 << 26,
        },
        seed: None,
    };
    NewJob {
        name: None,
        module: ModuleInfo {
            reference: "bench.wasm".to_owned(),
            digest: Digest([7; 32]),
            size: 1,
            features: Features::default(),
        },
        tasks: Tasks::Count {
            n: tasks,
            spec: Arc::new(spec),
        },
        priority: 0,
        owner: 0,
        retries: 3,
        quorum: 1,
        placement_timeout_ms: 600_000,
        requires: Requires::default(),
        labels: std::collections::BTreeMap::new(),
        idempotency_key: None,
    }
}
