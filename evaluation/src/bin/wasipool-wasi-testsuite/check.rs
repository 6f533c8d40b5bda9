//! One test as a job, and what came of it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::json;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::{Blob, TaskResult};

use crate::find::{Spec, Test};

/// Characters of an output that a failure shows.
const SHOWN: usize = 300;

/// What came of one test on one kind of provider.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

pub(crate) enum Submitted {
    /// The job's id.
    Job(String),
    /// It can't be run.
    Not(Verdict),
}

pub(crate) async fn submit(
    client: &Client,
    test: &Test,
    kind: &str,
    timeout: Duration,
) -> anyhow::Result<Submitted> {
    let spec = &test.spec;
    if let Some(what) = &spec.unsupported {
        return Ok(Submitted::Not(Verdict::Skipped(what.clone())));
    }
    let module = std::fs::read(&test.module).with_context(|| test.module.display().to_string())?;
    let stored = client.request(Method::POST, "/v1/blobs").body(module);
    let reply = stored.send().await?;
    if reply.status == 422 {
        return Ok(Submitted::Not(Verdict::Failed(format!("refused: {reply}"))));
    }
    anyhow::ensure!(matches!(reply.status.as_u16(), 200 | 201), "{reply}");
    let module: Blob = reply.json()?;
    let files = archive(test)?;
    let mut task = json!({
        "argv0": test.name,
        "args": arguments(spec),
        "env": spec.env,
        "stdin": spec.stdin,
        "timeout": format!("{}ms", timeout.as_millis()),
    });
    if let Some(bytes) = files {
        let stored = client.request(Method::POST, "/v1/blobs").body(bytes);
        let blob: Blob = stored.send_ok().await?.json()?;
        task["files"] = json!(blob.digest);
    }
    let job = json!({
        "name": format!("wasi-testsuite {}", test.name),
        "module": module.digest,
        "defaults": task,
        "count": 1,
        "requires": { "kind": kind },
    });
    Ok(Submitted::Job(client.submit(&job).await?.id))
}

/// A guest has one folder: who is told to work in another works in this.
fn arguments(spec: &Spec) -> Vec<String> {
    let argument = |argument: &String| {
        if spec.dirs.contains(argument) {
            "/".to_owned()
        } else {
            argument.clone()
        }
    };
    spec.args.iter().map(argument).collect()
}

/// What the guest finds in its `/`; nothing if it is empty.
fn archive(test: &Test) -> anyhow::Result<Option<Vec<u8>>> {
    let spec = &test.spec;
    let beside = test.module.parent().unwrap_or(Path::new("."));
    let mut archive = tar::Builder::new(Vec::new());
    let mut any = false;
    let root = spec.root.iter().map(|root| (root, "."));
    let named = spec.dirs.iter().map(|dir| (dir, dir.as_str()));
    let told = spec.dirs.iter().filter(|dir| spec.args.contains(dir));
    for (folder, inside) in root.chain(named).chain(told.map(|dir| (dir, "."))) {
        let folder = beside.join(folder);
        if !folder.is_dir() {
            // The suite has folders that were empty, so they are not there.
            continue;
        }
        archive
            .append_dir_all(inside, &folder)
            .with_context(|| folder.display().to_string())?;
        any = true;
    }
    let bytes = archive.into_inner()?;
    Ok(any.then_some(bytes))
}

pub(crate) async fn verdict(
    client: &Client,
    test: &Test,
    id: &str,
    patience: Duration,
) -> anyhow::Result<Verdict> {
    client
        .ended(id, patience)
        .await
        .with_context(|| test.name.clone())?;
    let result = client.result(id, 0).await?;
    let stdout = client.stdout(&result).await?;
    let stderr = client.stderr(&result).await?;
    let stderr = String::from_utf8_lossy(&stderr);
    let stdout = String::from_utf8_lossy(&stdout);
    let mut wrong = wrong(&test.spec, &result, &stdout, &stderr);
    if wrong.is_empty() {
        return Ok(Verdict::Passed);
    }
    if !stderr.is_empty() {
        wrong.push(format!("stderr: {}", shown(&stderr)));
    }
    Ok(Verdict::Failed(wrong.join("\n")))
}

fn wrong(spec: &Spec, result: &TaskResult, stdout: &str, stderr: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if result.exit_code != Some(spec.exit_code) {
        wrong.push(match result.exit_code {
            Some(code) => format!("exit code {code}, not {}", spec.exit_code),
            None => format!(
                "{}: {}",
                result.state,
                result.reason.as_deref().unwrap_or_default()
            ),
        });
    }
    let outputs = [
        ("stdout", &spec.stdout, stdout),
        ("stderr", &spec.stderr, stderr),
    ];
    for (name, wanted, seen) in outputs {
        if let Some(wanted) = wanted
            && wanted != seen
        {
            wrong.push(format!(
                "{name} is {:?}, not {:?}",
                shown(seen),
                shown(wanted)
            ));
        }
    }
    wrong
}

fn shown(text: &str) -> String {
    text.trim_end().chars().take(SHOWN).collect()
}
