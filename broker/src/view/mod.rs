//! What is stored, as the API shows it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use wasipool_shared::api;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{JobId, TaskId};

use crate::clock::rfc3339;
use crate::driver::{JobLoad, OpenTask};
use crate::store::{
    ArtifactRecord, BlobMeta, JobRecord, TaskRecord, TaskState, TraceStep, VariantRecord,
};

/// Bytes of stdout and stderr, each, that are part of a result.
const OUTPUT_SHOWN_MAX: usize = 256 * 1024;

/// A blob, under a name or not.
pub fn blob(name: Option<String>, meta: &BlobMeta, created_unix_ms: u64) -> api::Blob {
    let module = meta.module.as_ref().map(|module| api::Module {
        imports: module.imports.clone(),
        exports: module.exports.clone(),
        memory: module.memory.map(|memory| api::Memory {
            min_pages: memory.min_pages,
            max_pages: memory.max_pages,
        }),
        features: module.features.names().map(str::to_owned).collect(),
    });
    api::Blob {
        name,
        digest: meta.digest,
        size: meta.size,
        kind: meta.kind.as_str().to_owned(),
        module,
        created: rfc3339(created_unix_ms),
    }
}

/// Where the tasks of a job that haven't ended are. The driver may know less of
/// a job than the store, when it came just now, or more, when it just ended.
fn open_tasks(record: &JobRecord, load: Option<JobLoad>) -> JobLoad {
    let open = record.tasks - record.counts.ended();
    let running = load.map_or(0, |load| load.running).min(open);
    JobLoad {
        queued: open - running,
        running,
    }
}

/// A job, and the name of its state.
pub fn job(record: &JobRecord, load: Option<JobLoad>, now_unix_ms: u64) -> api::Job {
    let open = open_tasks(record, load);
    let ended = record.counts.ended();
    let state = match record.ended() {
        Some(state) => state.as_str(),
        None if open.running > 0 || ended > 0 => "running",
        None => "queued",
    };
    let mut counts: BTreeMap<String, u32> = TaskState::ALL
        .iter()
        .map(|state| (state.as_str().to_owned(), record.counts.of(*state)))
        .collect();
    counts.insert("queued".to_owned(), open.queued);
    counts.insert("running".to_owned(), open.running);
    let until_unix_ms = record.ended_unix_ms.unwrap_or(now_unix_ms);
    let rate = record.started_unix_ms.filter(|_| ended > 0).map(|started| {
        f64::from(ended) * 1e3 / until_unix_ms.saturating_sub(started).max(1) as f64
    });
    let left = f64::from(record.tasks - ended);
    let eta_ms = rate
        .filter(|_| left > 0.0)
        .map(|rate| (left / rate * 1e3) as u64);
    api::Job {
        id: record.id,
        name: record.name.clone(),
        state: state.to_owned(),
        module: api::JobModule {
            reference: record.module_reference.clone(),
            digest: record.module,
        },
        tasks: record.tasks,
        counts,
        progress: f64::from(ended) / f64::from(record.tasks.max(1)),
        tasks_per_second: rate,
        eta_ms,
        created: rfc3339(record.created_unix_ms),
        started: record.started_unix_ms.map(rfc3339),
        ended: record.ended_unix_ms.map(rfc3339),
        priority: record.priority,
        labels: record.labels.clone(),
        results: None,
        results_url: None,
    }
}

/// How much of a result is shown, and where the rest is.
#[derive(Debug, Clone, Copy)]
pub enum Outputs {
    /// Stored with the job: what is long is somewhere else.
    Stored(JobId),
    /// Stored nowhere: all of it is shown. Artifacts are blobs.
    Alone,
    /// Not at all, for lists.
    Omitted,
}

/// A result.
pub fn task(id: TaskId, record: TaskRecord, outputs: Outputs) -> api::Task {
    let mut task = api::Task {
        task: id.to_string(),
        index: id.index,
        state: record.state.as_str().to_owned(),
        exit_code: record.exit_code,
        reason: record.reason,
        stdout: None,
        stdout_base64: None,
        stdout_url: None,
        stderr: None,
        stderr_base64: None,
        stderr_url: None,
        artifacts: Vec::new(),
        variants: Vec::new(),
        provider: record.provider.map(|provider| api::Provider {
            id: provider.id,
            name: provider.name,
            kind: provider.kind,
        }),
        attempts: record.attempts,
        timing: Some(api::Timing {
            queued_ms: to_micros(record.timing.queued_ms),
            transfer_ms: to_micros(record.timing.transfer_ms),
            prepare_ms: to_micros(record.timing.prepare_ms),
            run_ms: to_micros(record.timing.run_ms),
            total_ms: to_micros(record.timing.total_ms),
        }),
    };
    let index = id.index;
    let (url, limit) = match outputs {
        Outputs::Omitted => return task,
        Outputs::Stored(job) => (
            Some(format!("/v1/jobs/{job}/tasks/{index}")),
            OUTPUT_SHOWN_MAX,
        ),
        Outputs::Alone => (None, usize::MAX),
    };
    let shown = |bytes: &Bytes, name: &str| match &url {
        Some(url) if bytes.len() > limit => (None, None, Some(format!("{url}/{name}"))),
        _ => {
            let (text, base64) = text_or_base64(bytes);
            (text, base64, None)
        }
    };
    (task.stdout, task.stdout_base64, task.stdout_url) = shown(&record.stdout, "stdout");
    (task.stderr, task.stderr_base64, task.stderr_url) = shown(&record.stderr, "stderr");
    let artifact = |artifact: ArtifactRecord| api::Artifact {
        url: match &url {
            Some(url) => format!("{url}/artifacts/{}", escaped(&artifact.path)),
            None => format!("/v1/blobs/{}", artifact.digest),
        },
        size: artifact.bytes.len() as u64,
        digest: artifact.digest,
        path: artifact.path,
    };
    task.artifacts = record.artifacts.into_iter().map(artifact).collect();
    let variants = record.variants.into_iter();
    task.variants = variants.map(|shown| variant(shown, limit)).collect();
    task
}

/// Bytes as text if they are UTF-8, else in base64.
fn text_or_base64(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

/// One of several results that differ. Of outputs over the limit only size and
/// digest are shown.
fn variant(record: VariantRecord, limit: usize) -> api::Variant {
    let shown = |bytes: &Bytes| {
        if bytes.len() > limit {
            (None, None)
        } else {
            text_or_base64(bytes)
        }
    };
    let (stdout, stdout_base64) = shown(&record.stdout);
    let (stderr, stderr_base64) = shown(&record.stderr);
    let artifact = |artifact: ArtifactRecord| api::VariantArtifact {
        path: artifact.path,
        size: artifact.bytes.len() as u64,
        digest: artifact.digest,
    };
    api::Variant {
        digest: record.digest,
        provider: api::Provider {
            id: record.provider.id,
            name: record.provider.name,
            kind: record.provider.kind,
        },
        state: record.state.as_str().to_owned(),
        exit_code: record.exit_code,
        reason: record.reason,
        stdout_digest: Digest::of(&record.stdout),
        stdout_size: record.stdout.len() as u64,
        stdout,
        stdout_base64,
        stderr_digest: Digest::of(&record.stderr),
        stderr_size: record.stderr.len() as u64,
        stderr,
        stderr_base64,
        artifacts: record.artifacts.into_iter().map(artifact).collect(),
    }
}

/// Milliseconds to the microsecond: further digits mean nothing.
fn to_micros(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// A path as part of a URL: slashes stay, whatever else isn't plain is escaped.
fn escaped(path: &str) -> String {
    let mut url = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// A task that hasn't ended; `running` is whether it has a live attempt.
pub fn open_task(id: TaskId, running: bool, now: Option<OpenTask>) -> api::Task {
    let provider = now.as_ref().and_then(|now| now.provider.clone());
    api::Task {
        task: id.to_string(),
        index: id.index,
        state: if running { "running" } else { "queued" }.to_owned(),
        exit_code: None,
        reason: None,
        stdout: None,
        stdout_base64: None,
        stdout_url: None,
        stderr: None,
        stderr_base64: None,
        stderr_url: None,
        artifacts: Vec::new(),
        variants: Vec::new(),
        provider: provider.map(|provider| api::Provider {
            id: provider.id,
            name: provider.name,
            kind: provider.kind,
        }),
        attempts: now.map_or(0, |now| now.attempts),
        timing: None,
    }
}

/// What happened to a task until now.
pub fn trace(id: TaskId, state: &str, mut steps: Vec<TraceStep>) -> api::Trace {
    steps.sort_by(|left, right| left.at_ms.total_cmp(&right.at_ms));
    let first_ms = steps.first().map_or(0.0, |step| step.at_ms);
    let step = |step: TraceStep| api::TraceStep {
        at: rfc3339(step.at_ms as u64),
        after_ms: to_micros(step.at_ms - first_ms),
        step: step.step.into_owned(),
        attempt: step.attempt,
        provider: step.provider.map(|provider| provider.to_string()),
        detail: step.detail,
    };
    api::Trace {
        task: id.to_string(),
        state: state.to_owned(),
        steps: steps.into_iter().map(step).collect(),
    }
}

#[cfg(test)]
mod tests {
    use wasipool_shared::capacity::ProviderKind;
    use wasipool_shared::ids::ProviderId;

    use super::*;
    use crate::store::{ProviderRef, TaskTiming};

    fn record(stdout: &[u8]) -> TaskRecord {
        let bytes = Bytes::from_static(b"content");
        TaskRecord {
            state: TaskState::OutOfMemory,
            exit_code: None,
            reason: None,
            stdout: Bytes::copy_from_slice(stdout),
            stderr: Bytes::new(),
            artifacts: vec![ArtifactRecord {
                path: "a b/ü".into(),
                digest: Digest::of(&bytes),
                bytes,
            }],
            provider: None,
            attempts: 1,
            timing: TaskTiming::default(),
            trace: Vec::new(),
            variants: Vec::new(),
        }
    }

    #[test]
    fn outputs_are_text_or_base64_or_somewhere_else() {
        let job = JobId(7);
        let id = TaskId { job, index: 3 };
        let shown = task(id, record(b"text"), Outputs::Stored(job));
        assert_eq!(
            (shown.stdout.as_deref(), shown.stderr.as_deref()),
            (Some("text"), Some(""))
        );
        assert_eq!(shown.state, "out_of_memory");
        let url = format!("/v1/jobs/{job}/tasks/3");
        assert_eq!(
            shown.artifacts[0].url,
            format!("{url}/artifacts/a%20b/%C3%BC")
        );
        assert_eq!(shown.artifacts[0].size, 7);
        let shown = task(id, record(b"\xff"), Outputs::Stored(job));
        assert_eq!(
            (shown.stdout, shown.stdout_base64.as_deref()),
            (None, Some("/w=="))
        );
        let long = vec![b'x'; OUTPUT_SHOWN_MAX + 1];
        let shown = task(id, record(&long[1..]), Outputs::Stored(job));
        assert_eq!(shown.stdout.map(|text| text.len()), Some(OUTPUT_SHOWN_MAX));
        let shown = task(id, record(&long), Outputs::Stored(job));
        assert_eq!(
            (shown.stdout, shown.stdout_url),
            (None, Some(format!("{url}/stdout")))
        );
        let shown = task(id, record(&long), Outputs::Alone);
        assert_eq!(shown.stdout.map(|text| text.len()), Some(long.len()));
        assert!(shown.artifacts[0].url.starts_with("/v1/blobs/sha256:"));
        let shown = task(id, record(b"text"), Outputs::Omitted);
        assert_eq!((shown.stdout, shown.artifacts.len()), (None, 0));
    }

    #[test]
    fn a_disputed_task_shows_what_each_provider_gave() {
        let (job, index) = (JobId(7), 3);
        let variant = |name: &str, stdout: Vec<u8>| VariantRecord {
            provider: ProviderRef {
                id: ProviderId(5),
                name: name.into(),
                kind: ProviderKind::Browser,
            },
            digest: Digest::of(&stdout),
            state: TaskState::Failed,
            exit_code: Some(4),
            reason: None,
            stdout: stdout.into(),
            stderr: Bytes::from_static(b"\xff"),
            artifacts: Vec::new(),
        };
        let long = vec![b'x'; OUTPUT_SHOWN_MAX + 1];
        let disputed = TaskRecord {
            state: TaskState::Disputed,
            variants: vec![variant("a", b"text".to_vec()), variant("b", long.clone())],
            ..record(b"")
        };
        let shown = task(TaskId { job, index }, disputed, Outputs::Stored(job)).variants;
        assert_eq!(shown[0].provider.name, "a");
        assert_eq!(shown[0].stdout.as_deref(), Some("text"));
        assert_eq!(shown[0].stderr_base64.as_deref(), Some("/w=="));
        assert_eq!(
            (shown[0].state.as_str(), shown[0].exit_code),
            ("failed", Some(4))
        );
        assert_ne!(shown[0].digest, shown[1].digest);
        assert_eq!(shown[1].stdout, None, "over the limit");
        assert_eq!(shown[1].stdout_size, long.len() as u64);
        assert_eq!(shown[1].stdout_digest, Digest::of(&long));
    }
}
