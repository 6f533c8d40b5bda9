//! What a job and its tasks ask for.

use serde_json::{Value, json};
use wasipool_shared::limits::{
    ARCHIVE_ENTRIES_MAX, ARGS_BYTES_MAX, ARGS_MAX, ARTIFACT_PATTERNS_MAX, ENV_BYTES_MAX, ENV_MAX,
    JOB_TASKS_MAX, MEMORY_BYTES_MAX, OUTPUT_BYTES_MAX, PATH_BYTES_MAX, TIMEOUT_MS_MAX,
};

use super::{check, job, limit, of_job, of_task, with_module};

fn strings(count: usize) -> Value {
    json!(vec![""; count])
}

fn named(count: usize) -> Value {
    (0..count).map(|at| (format!("n{at}"), json!(""))).collect()
}

/// A path of that many bytes whose components are short.
fn path(bytes: usize) -> String {
    "a/".repeat(bytes / 2 - 1) + if bytes.is_multiple_of(2) { "ab" } else { "abc" }
}

#[tokio::test]
async fn a_task_brings_no_more_than_it_may() {
    let broker = with_module(&[]).await;
    let text = |bytes: usize| "x".repeat(bytes);
    let files = |path: String| json!({ path: "" });
    let limits = vec![
        of_task(
            "arguments",
            "args",
            strings(ARGS_MAX),
            strings(ARGS_MAX + 1),
            ARGS_MAX as u64,
        ),
        of_task(
            "bytes of arguments",
            "args",
            json!([text(ARGS_BYTES_MAX)]),
            json!([text(ARGS_BYTES_MAX), "x"]),
            ARGS_BYTES_MAX as u64,
        ),
        of_task(
            "variables",
            "env",
            named(ENV_MAX),
            named(ENV_MAX + 1),
            ENV_MAX as u64,
        ),
        of_task(
            "bytes of variables",
            "env",
            json!({"A": text(ENV_BYTES_MAX - 1)}),
            json!({"A": text(ENV_BYTES_MAX)}),
            ENV_BYTES_MAX as u64,
        ),
        of_task(
            "files",
            "files",
            named(ARCHIVE_ENTRIES_MAX),
            named(ARCHIVE_ENTRIES_MAX + 1),
            ARCHIVE_ENTRIES_MAX as u64,
        ),
        of_task(
            "bytes of a path",
            "files",
            files(path(PATH_BYTES_MAX)),
            files(path(PATH_BYTES_MAX + 1)),
            PATH_BYTES_MAX as u64,
        ),
        of_task(
            "artifact patterns",
            "artifacts",
            strings(ARTIFACT_PATTERNS_MAX),
            strings(ARTIFACT_PATTERNS_MAX + 1),
            ARTIFACT_PATTERNS_MAX as u64,
        ),
        of_task(
            "bytes of an artifact pattern",
            "artifacts",
            json!([path(PATH_BYTES_MAX)]),
            json!([path(PATH_BYTES_MAX + 1)]),
            PATH_BYTES_MAX as u64,
        ),
        of_task(
            "timeout",
            "timeout",
            json!("24h"),
            json!("24h 1ms"),
            TIMEOUT_MS_MAX,
        ),
        of_task("least timeout", "timeout", json!("1ms"), json!(0), 1),
        of_task(
            "memory",
            "memory",
            json!(MEMORY_BYTES_MAX),
            json!(MEMORY_BYTES_MAX + 1),
            MEMORY_BYTES_MAX,
        ),
        of_task("least memory", "memory", json!(1), json!(0), 1),
        of_task(
            "output",
            "output",
            json!(OUTPUT_BYTES_MAX),
            json!(OUTPUT_BYTES_MAX + 1),
            OUTPUT_BYTES_MAX,
        ),
    ];
    check(&broker, limits).await;
}

#[tokio::test]
async fn a_job_asks_for_no_more_than_it_may() {
    let broker = with_module(&[]).await;
    let text = |bytes: usize| "x".repeat(bytes);
    let labels = |count: usize| json!({"labels": named(count)});
    let label = |name: String, value: String| json!({"labels": {name: value}});
    let week_ms = 7 * 24 * 60 * 60 * 1_000;
    let limits = vec![
        of_job(
            "tasks",
            json!({"count": JOB_TASKS_MAX}),
            json!({"count": JOB_TASKS_MAX + 1}),
            JOB_TASKS_MAX,
        ),
        of_job("least tasks", json!({"count": 1}), json!({"count": 0}), 1),
        of_job(
            "priority",
            json!({"priority": 100}),
            json!({"priority": 101}),
            100,
        ),
        of_job(
            "least priority",
            json!({"priority": -100}),
            json!({"priority": -101}),
            -100,
        ),
        of_job(
            "retries",
            json!({"retries": 100}),
            json!({"retries": 101}),
            100,
        ),
        of_job("quorum", json!({"quorum": 16}), json!({"quorum": 17}), 16),
        of_job(
            "least quorum",
            json!({"quorum": 1}),
            json!({"quorum": 0}),
            1,
        ),
        of_job(
            "placement timeout",
            json!({"placement_timeout": "7d"}),
            json!({"placement_timeout": "7d 1ms"}),
            week_ms,
        ),
        of_job(
            "seed",
            json!({"deterministic": {"seed": u64::MAX}}),
            json!({"deterministic": {"seed": 18_446_744_073_709_551_616_f64}}),
            "64 bits",
        ),
        of_job(
            "bytes of a name",
            json!({"name": text(256)}),
            json!({"name": text(257)}),
            256,
        ),
        of_job("labels", labels(64), labels(65), 64),
        of_job(
            "bytes of a label's name",
            label(text(256), "v".into()),
            label(text(257), "v".into()),
            256,
        ),
        of_job(
            "bytes of a label",
            label("n".into(), text(256)),
            label("n".into(), text(257)),
            256,
        ),
        {
            let keyed = |bytes| job(&json!({})).with("idempotency-key", text(bytes));
            limit(
                "bytes of an idempotency key",
                (keyed(256), 202),
                (keyed(257), "invalid-request"),
                256,
            )
        },
    ];
    check(&broker, limits).await;
}
