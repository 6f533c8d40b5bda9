//! Runs a job file of `wasi-apps`.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::client::Client;
use crate::model::TaskResult;
use crate::programs;

/// Runs `wasi-apps/<path>` on one kind of provider; the results of its tasks, all
/// of which must succeed. Whatever it names must be stored.
///
/// # Errors
/// If one doesn't, or not within `limit`.
pub async fn run(
    client: &Client,
    path: &str,
    kind: &str,
    limit: Duration,
) -> anyhow::Result<Vec<TaskResult>> {
    let results = end(client, path, kind, limit).await?;
    let good = results.iter().all(|result| result.state == "succeeded");
    ensure!(good, "{path} ({kind}): {results:?}");
    Ok(results)
}

/// The same, however the tasks end.
///
/// # Errors
/// If the job can't be submitted, or doesn't end within `limit`.
pub async fn end(
    client: &Client,
    path: &str,
    kind: &str,
    limit: Duration,
) -> anyhow::Result<Vec<TaskResult>> {
    let file = programs::repository().join("wasi-apps").join(path);
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut job: Value = serde_json::from_str(&text).with_context(|| path.to_owned())?;
    job["requires"] = json!({ "kind": kind });
    let id = client.submit(&job).await?.id;
    client
        .ended(&id, limit)
        .await
        .with_context(|| path.to_owned())?;
    client.results(&id).await
}
