//! What is answered: an entry for each run, in their order.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;
use wasipool_shared::ids::JobId;

use crate::http::App;
use crate::http::compat::guest::Ended;
use crate::store::TaskRecord;
use crate::store::jobs::TaskFilter;

/// Results that are read and written at a time.
const RESULTS_AT_ONCE: usize = 32;

/// What the reply says of one run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Entry {
    Result(Outcome),
    Error(String),
}

#[derive(Debug, Serialize)]
struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    datafile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Vec<Event>>,
}

#[derive(Debug, Serialize)]
struct Event {
    /// Unix time in microseconds.
    time: u64,
    label: String,
}

impl Entry {
    fn of(record: TaskRecord, trace: bool) -> Self {
        match Ended::of(record) {
            Ended::Broken(text) => Self::Error(text),
            Ended::NotRun(problem) => Self::Error(problem.detail().to_owned()),
            Ended::Exited(record) => {
                let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                let event = |step: &crate::store::TraceStep| Event {
                    time: (step.at_ms * 1e3) as u64,
                    label: format!("broker: {}", step.step),
                };
                let datafile = record.artifacts.first();
                Self::Result(Outcome {
                    status: record.exit_code.unwrap_or_default().cast_signed(),
                    stdout: text(&record.stdout),
                    stderr: text(&record.stderr),
                    datafile: datafile.map(|file| BASE64_STANDARD.encode(&file.bytes)),
                    trace: trace.then(|| record.trace.iter().map(event).collect()),
                })
            }
        }
    }
}

/// The reply, piece by piece: no more than a few results are in memory.
pub(super) struct Replies {
    app: App,
    job: Option<JobId>,
    /// For each run that is still to be told: why it wasn't run, if so.
    refused: VecDeque<Option<String>>,
    next_task: u32,
    trace: bool,
    begun: bool,
}

impl Replies {
    /// `refused` has an entry for each run: why it isn't a task of the job, if so.
    pub(super) fn new(
        app: App,
        job: Option<JobId>,
        refused: Vec<Option<String>>,
        trace: bool,
    ) -> Self {
        Self {
            app,
            job,
            refused: refused.into(),
            next_task: 0,
            trace,
            begun: false,
        }
    }

    /// The next piece of the reply's text.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.begun && self.refused.is_empty() {
            return None;
        }
        let count = RESULTS_AT_ONCE.min(self.refused.len());
        let some: Vec<_> = self.refused.drain(..count).collect();
        let wanted = some.iter().filter(|refused| refused.is_none()).count();
        let mut records = self.read(wanted).await.into_iter();
        let mut text = Vec::new();
        for refused in some {
            let entry = match refused {
                Some(error) => Entry::Error(error),
                None => match records.next() {
                    Some(record) => Entry::of(record, self.trace),
                    None => Entry::Error("the result is no longer kept".to_owned()),
                },
            };
            text.push(if self.begun { b',' } else { b'[' });
            self.begun = true;
            if let Err(error) = serde_json::to_writer(&mut text, &entry) {
                tracing::error!(%error, "a result can't be written as JSON");
                return None;
            }
        }
        if self.refused.is_empty() {
            text.extend_from_slice(b"]\n");
        }
        Some(text.into())
    }

    /// The results of the next tasks.
    async fn read(&mut self, count: usize) -> Vec<TaskRecord> {
        let Some(job) = self.job.filter(|_| count > 0) else {
            return Vec::new();
        };
        let jobs = self.app.store.jobs();
        let page = jobs
            .tasks(job, TaskFilter::All, self.next_task, count)
            .await;
        self.next_task += u32::try_from(count).unwrap_or(u32::MAX);
        page.items
            .into_iter()
            .filter_map(|(_, record)| record)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_names_of_the_earlier_system() {
        let entry = Entry::Result(Outcome {
            status: 3,
            stdout: "out".into(),
            stderr: "err".into(),
            datafile: Some("AAE=".into()),
            trace: None,
        });
        assert_eq!(
            serde_json::to_string(&entry).unwrap(),
            r#"{"result":{"status":3,"stdout":"out","stderr":"err","datafile":"AAE="}}"#
        );
        let entry = Entry::Error("why".into());
        assert_eq!(serde_json::to_string(&entry).unwrap(), r#"{"error":"why"}"#);
    }
}
