//! Loads on a pool, and what one round of each gives.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::pool::{Pool, Used};
use crate::load::{self, Expect, Sample, Span, Target};

/// What is done to a pool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Load {
    /// `/v1/run` of a no-op, so many at a time.
    Run { connections: usize },
    /// The median response time of that.
    RunTime { connections: usize },
    /// The same at a constant rate a second.
    RunAtRate { rate: f64 },
    /// Jobs of so many no-ops, so many jobs at a time.
    Jobs { tasks: u64, at_a_time: usize },
    /// One job of so many tasks that each read a line of stdin and write it.
    Lines { tasks: u64 },
    /// So many bytes through `cat` and back, one at a time.
    Bytes { bytes: usize },
    /// A guest that computes; its own run time counts, not the way there.
    Computing { arguments: &'static [&'static str] },
    /// Nothing, for a while: what the sessions alone cost, in percent of one processor.
    Idle,
    /// Memory of the broker for each session, in kB.
    SessionMemory { providers: usize },
    /// How fast the providers joined.
    Joins,
    /// A no-op by one of the earlier system's interfaces, so many at a time.
    Earlier { api: Api, connections: usize },
}

/// Interfaces of the earlier system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// The thesis version's.
    Thesis,
    /// The later version's.
    Connect,
}

impl Api {
    fn target(self, base: &str) -> Target {
        let (path, body, expect) = match self {
            Self::Thesis => (
                "/api/broker/v1/run",
                json!({"bin": "noop.wasm", "exec": [{"args": []}]}),
                Expect::Results(1),
            ),
            Self::Connect => (
                "/api/client/wasimoff.v1.Tasks/RunWasip1",
                json!({"params": {"binary": {"ref": "noop.wasm"}, "args": ["noop"]}}),
                Expect::Ok,
            ),
        };
        let body = body.to_string();
        Target::post(base, path, "application/json", body.as_bytes(), expect)
    }
}

/// What one round gave.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Reading {
    /// The figure itself, in the case's unit.
    pub(crate) value: f64,
    /// Median response time, in milliseconds.
    pub(crate) p50_ms: f64,
    /// 99 of 100 responses took less, in milliseconds.
    pub(crate) p99_ms: f64,
    /// Processor time of the broker for a task, in microseconds.
    pub(crate) broker_cpu_us: f64,
    /// The same of the provider.
    pub(crate) provider_cpu_us: f64,
    /// The most memory that the broker had, in bytes.
    pub(crate) broker_peak: u64,
    /// The same of the provider.
    pub(crate) provider_peak: u64,
}

/// Longest job that is begun again and again; longer ones are sent once.
const ONE_LARGE_JOB: Duration = Duration::from_millis(1);

impl Load {
    /// One round of this load.
    ///
    /// # Errors
    /// If a reply is wrong, or somebody ends.
    pub(crate) async fn round(&self, pool: &Pool, time: Duration) -> anyhow::Result<Reading> {
        let base = pool.base();
        let warm = Span {
            warm_up: Duration::ZERO,
            measured: time / 4,
        };
        let span = Span {
            warm_up: Duration::ZERO,
            measured: time,
        };
        match self {
            Self::RunTime { connections } => {
                let run = Self::Run {
                    connections: *connections,
                };
                let mut reading = Box::pin(run.round(pool, time)).await?;
                reading.value = reading.p50_ms;
                Ok(reading)
            }
            Self::Run { connections } => {
                let target = Target::run(base, "noop.wasm", "", b"", b"");
                load::closed(&target, *connections, warm).await?;
                counted(pool, 1, async || {
                    load::closed(&target, *connections, span).await
                })
                .await
            }
            Self::RunAtRate { rate } => {
                let target = Target::run(base, "noop.wasm", "", b"", b"");
                load::closed(&target, 1, warm).await?;
                let open = async || load::open(&target, AT_RATE_CONNECTIONS, *rate, span).await;
                let mut reading = counted(pool, 1, open).await?;
                reading.value = reading.p99_ms;
                Ok(reading)
            }
            Self::Jobs { tasks, at_a_time } => {
                let job = json!({"module": "noop.wasm", "count": tasks});
                let target = Target::job(base, &job, *tasks);
                load::closed(&target, *at_a_time, warm).await?;
                counted(pool, *tasks, async || {
                    load::closed(&target, *at_a_time, span).await
                })
                .await
            }
            Self::Lines { tasks } => lines(pool, *tasks).await,
            Self::Bytes { bytes } => {
                let payload = payload(*bytes);
                let target = Target::run(base, "cat.wasm", "", &payload, &payload);
                load::closed(&target, 1, warm).await?;
                let sample = async || load::closed(&target, 1, span).await;
                let mut reading = counted(pool, 1, sample).await?;
                reading.value *= *bytes as f64 / 1e6;
                Ok(reading)
            }
            Self::Computing { arguments } => computing(pool, arguments, time).await,
            Self::Idle => {
                let before = pool.used()?.broker_cpu_us;
                tokio::time::sleep(time).await;
                let busy_us = pool.used()?.broker_cpu_us - before;
                Ok(alone(busy_us / 1e4 / time.as_secs_f64()))
            }
            Self::SessionMemory { providers } => {
                Ok(alone(pool.joined_bytes as f64 / 1e3 / *providers as f64))
            }
            Self::Joins => Ok(alone(pool.joins_per_second)),
            Self::Earlier { api, connections } => {
                let target = api.target(base);
                load::closed(&target, *connections, warm).await?;
                counted(pool, 1, async || {
                    load::closed(&target, *connections, span).await
                })
                .await
            }
        }
    }
}

fn alone(value: f64) -> Reading {
    Reading {
        value,
        ..Reading::default()
    }
}

/// Connections of a load at a constant rate: enough that none is waited for.
pub(super) const AT_RATE_CONNECTIONS: usize = 64;

async fn counted(
    pool: &Pool,
    tasks_each: u64,
    measure: impl AsyncFnOnce() -> anyhow::Result<Sample>,
) -> anyhow::Result<Reading> {
    pool.forget_peaks()?;
    let before = pool.used()?;
    let sample = measure().await?;
    let used = pool.used()?;
    let tasks = (sample.count() * tasks_each) as f64;
    Ok(reading(&sample, tasks_each as f64, before, used, tasks))
}

fn reading(sample: &Sample, scale: f64, before: Used, used: Used, tasks: f64) -> Reading {
    Reading {
        value: sample.rate() * scale,
        p50_ms: sample.quantile_ms(0.5),
        p99_ms: sample.quantile_ms(0.99),
        broker_cpu_us: (used.broker_cpu_us - before.broker_cpu_us) / tasks,
        provider_cpu_us: (used.provider_cpu_us - before.provider_cpu_us) / tasks,
        broker_peak: used.broker_peak,
        provider_peak: used.provider_peak,
    }
}

/// A job in which each task has a line of its own, and each result is checked.
async fn lines(pool: &Pool, tasks: u64) -> anyhow::Result<Reading> {
    let line = |index: u64| format!("line {index} of many\n");
    let each: Vec<_> = (0..tasks)
        .map(|index| json!({"stdin": line(index)}))
        .collect();
    let job = json!({"module": "cat.wasm", "tasks": each});
    let target = Target::job(pool.base(), &job, tasks);
    let once = Span {
        warm_up: Duration::ZERO,
        measured: ONE_LARGE_JOB,
    };
    let read = counted(pool, tasks, async || load::closed(&target, 1, once).await).await?;
    let newest = pool
        .client
        .get("/v1/jobs?limit=1")
        .await?
        .json::<serde_json::Value>()?;
    let id = newest["items"][0]["id"]
        .as_str()
        .context("no job is listed")?
        .to_owned();
    let results = pool.client.results(&id).await?;
    anyhow::ensure!(
        results.len() as u64 == tasks,
        "{} results of {tasks}",
        results.len()
    );
    for (index, result) in (0..).zip(&results) {
        let right = result.stdout.as_deref() == Some(&line(index));
        anyhow::ensure!(right, "task {index} gave {:?}", result.stdout);
    }
    Ok(read)
}

/// Runs a guest again and again; the value is the guest's own run time.
async fn computing(pool: &Pool, arguments: &[&str], time: Duration) -> anyhow::Result<Reading> {
    let start = Instant::now();
    let (mut run_ms, mut total) = (Vec::new(), Sample::new());
    let before = pool.used()?;
    while start.elapsed() < time || run_ms.len() < 3 {
        let mut request = pool
            .client
            .run("tsp.wasm")
            .header("accept", "application/json");
        for argument in arguments {
            request = request.query("arg", argument);
        }
        let begin = Instant::now();
        let result: serde_json::Value = request.send_ok().await?.json()?;
        total.add(begin.elapsed());
        anyhow::ensure!(result["state"] == "succeeded", "{result}");
        run_ms.push(result["timing"]["run_ms"].as_f64().context("no run_ms")?);
    }
    total.elapsed = start.elapsed();
    let count = run_ms.len() as f64;
    run_ms.sort_by(f64::total_cmp);
    let mut reading = reading(&total, 1.0, before, pool.used()?, count);
    reading.value = run_ms[run_ms.len() / 2];
    Ok(reading)
}

/// Bytes that don't repeat, so that nothing on the way can make them fewer.
pub(super) fn payload(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut payload = Vec::with_capacity(bytes + 8);
    while payload.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload.extend_from_slice(&state.to_le_bytes());
    }
    payload.truncate(bytes);
    payload
}
