//! Work goes where the capacity is: shares follow slots and speed, no slot is
//! filled twice, and what a killed provider had is done by the others.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::{Job, Provider, TaskResult};
use wasipool_evaluation::pool::{Pool, Setup};
use wasipool_evaluation::scenario::with_pool;

const TASKS: u32 = 60;
/// How long one task is to take on the slower kind of provider.
const TASK_MS: f64 = 200.0;
const JOB_LIMIT: Duration = Duration::from_secs(100);
/// What a share may differ from the capacity's, relatively and in tasks: the
/// last tasks of a job can't be divided.
const SHARE_TOLERANCE: f64 = 0.15;
const SHARE_TOLERANCE_TASKS: f64 = 2.0;
/// An end is noted when its message has come, which may be a little late, and a
/// start is reckoned back from it.
const CLOCK_TOLERANCE_MS: f64 = 20.0;

fn pool_of_both() -> Setup {
    Setup::broker().native("native", 2).tab(1)
}

#[test]
fn shares_follow_capacity_and_slots_are_filled_once() {
    with_pool(&pool_of_both(), async |pool| {
        let client = &pool.client;
        let submitted = submit(client).await?;
        let job = client.ended(&submitted.id, JOB_LIMIT).await?;
        let results = all_succeeded(client, &job).await?;
        let providers = client.providers().await?;
        check_shares(&results, &providers)?;
        check_slots(client, &job, &providers).await
    });
}

#[test]
fn nothing_is_lost_with_a_killed_native_provider() {
    with_pool(&pool_of_both(), async |pool| {
        killed_in_the_middle(pool, "native").await
    });
}

#[test]
fn nothing_is_lost_with_a_killed_tab() {
    with_pool(&pool_of_both(), async |pool| {
        killed_in_the_middle(pool, "tab").await
    });
}

async fn killed_in_the_middle(pool: &mut Pool, name: &str) -> anyhow::Result<()> {
    let client = pool.client.clone();
    let job = submit(&client).await?;
    // In the middle: some are done, and the one to be killed has work.
    let some_done = |job: &Job| job.count("succeeded") >= TASKS / 6;
    client.job_until(&job.id, JOB_LIMIT, some_done).await?;
    let busy = format!("{name} is busy");
    let is_busy = |provider: &Provider| provider.name == name && provider.busy > 0;
    client
        .providers_until(&busy, JOB_LIMIT, |all| {
            all.iter().any(is_busy).then_some(())
        })
        .await?;
    pool.kill(name)?;

    let job = client.ended(&job.id, JOB_LIMIT).await?;
    let results = all_succeeded(&client, &job).await?;
    let again = results.iter().filter(|result| result.attempts > 1).count();
    anyhow::ensure!(again > 0, "no task was tried again though {name} was busy");
    let gone = format!("{name} is listed no longer");
    let listed = |all: &[Provider]| all.iter().any(|provider| provider.name == name);
    client
        .providers_until(&gone, JOB_LIMIT, |all| (!listed(all)).then_some(()))
        .await
}

/// Submits the job, its tasks of the length that was asked for.
async fn submit(client: &Client) -> anyhow::Result<Job> {
    client.put_guests(&["work"]).await?;
    let mut slowest: f64 = 0.0;
    for kind in ["native", "browser"] {
        // The first run of a module is of its compilation too.
        for _ in 0..2 {
            slowest = slowest.max(trial_ms(client, kind).await?);
        }
    }
    let millions = (f64::from(TRIAL_MILLIONS) * TASK_MS / slowest).ceil();
    client
        .submit(&json!({
            "module": "work.wasm",
            "count": TASKS,
            "defaults": { "args": [format!("{millions}")] },
        }))
        .await
}

const TRIAL_MILLIONS: u32 = 20;

/// How long a trial takes on a provider of that kind.
async fn trial_ms(client: &Client, kind: &str) -> anyhow::Result<f64> {
    let job = json!({
        "module": "work.wasm",
        "count": 1,
        "defaults": { "args": [TRIAL_MILLIONS.to_string()] },
        "requires": { "kind": kind },
    });
    let job = client.submit_and_wait(&job, "60s").await?;
    let result = client.result(&job.id, 0).await?;
    anyhow::ensure!(result.state == "succeeded", "{result:?}");
    Ok(result.timing.run_ms)
}

/// Every task has succeeded, exactly once, with the same output.
async fn all_succeeded(client: &Client, job: &Job) -> anyhow::Result<Vec<TaskResult>> {
    let results = client.results(&job.id).await?;
    anyhow::ensure!(
        job.state == "succeeded" && job.count("succeeded") == TASKS,
        "{job:?}\n{:?}",
        results.iter().find(|result| result.state != "succeeded")
    );
    let indexes: Vec<u32> = results.iter().map(|result| result.index).collect();
    let expected: Vec<u32> = (0..TASKS).collect();
    anyhow::ensure!(
        indexes == expected,
        "each index once, in order: {indexes:?}"
    );
    let outputs: Vec<_> = results.iter().map(|result| &result.stdout).collect();
    anyhow::ensure!(
        outputs.iter().all(|output| *output == outputs[0]),
        "{outputs:?}"
    );
    Ok(results)
}

/// Each kind has done its part: its slots times their speed in this very job.
fn check_shares(results: &[TaskResult], providers: &[Provider]) -> anyhow::Result<()> {
    let mut run_ms: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for result in results {
        let provider = result
            .provider
            .as_ref()
            .context("a result without its provider")?;
        run_ms
            .entry(&provider.name)
            .or_default()
            .push(result.timing.run_ms);
    }
    let capacity = |name: &str, runs: &[f64]| {
        let mean = runs.iter().sum::<f64>() / runs.len() as f64;
        let slots = providers
            .iter()
            .find(|provider| provider.name == name)?
            .slots;
        Some((mean, f64::from(slots) / mean))
    };
    let mut all = Vec::new();
    for (name, runs) in &run_ms {
        let (mean, capacity) = capacity(name, runs).context("the provider is gone")?;
        all.push((*name, runs.len() as f64, mean, capacity));
    }
    let total: f64 = all.iter().map(|(.., capacity)| capacity).sum();
    anyhow::ensure!(
        all.len() == providers.len(),
        "one has done nothing: {all:?}"
    );
    for (name, done, mean, capacity) in all {
        let expected = results.len() as f64 * capacity / total;
        let tolerance = (expected * SHARE_TOLERANCE).max(SHARE_TOLERANCE_TASKS);
        anyhow::ensure!(
            (done - expected).abs() <= tolerance,
            "{name} has done {done} tasks of {mean:.0} ms, its capacity is for {expected:.1} \
             ± {tolerance:.1}"
        );
    }
    Ok(())
}

/// As many tasks ran at a provider as it has slots, and never more.
async fn check_slots(client: &Client, job: &Job, providers: &[Provider]) -> anyhow::Result<()> {
    // A start counts 1, an end -1; ends come first where times are equal.
    let mut changes: BTreeMap<String, Vec<(f64, i32)>> = BTreeMap::new();
    for index in 0..TASKS {
        let steps = client.trace(&job.id, index).await?;
        let ended = steps.iter().find(|step| step.step == "ended");
        let ended = ended.with_context(|| format!("no end in {steps:?}"))?;
        let at = |name: &str| {
            let mut of_attempt = steps.iter().filter(|step| step.attempt == ended.attempt);
            let found = of_attempt.find(|step| step.step == name);
            found
                .map(|step| step.after_ms)
                .with_context(|| format!("no {name} in {steps:?}"))
        };
        let (sent, started, end) = (at("sent")?, at("started")?, at("ended")?);
        anyhow::ensure!(sent <= started && started <= end, "out of order: {steps:?}");
        let provider = ended
            .provider
            .clone()
            .context("an end without its provider")?;
        let changes = changes.entry(provider).or_default();
        if end - started > CLOCK_TOLERANCE_MS {
            changes.extend([(started + CLOCK_TOLERANCE_MS, 1), (end, -1)]);
        }
    }
    for (id, mut changes) in changes {
        let provider = providers.iter().find(|provider| provider.id == id);
        let provider = provider.with_context(|| format!("the trace names {id}"))?;
        changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut running, mut most) = (0, 0);
        for (_, change) in &changes {
            running += change;
            most = most.max(running);
        }
        anyhow::ensure!(
            most == i32::try_from(provider.slots)?,
            "up to {most} tasks ran at {} with {} slots: {changes:?}",
            provider.name,
            provider.slots
        );
        anyhow::ensure!(running == 0, "{changes:?}");
    }
    Ok(())
}
