//! What the driver keeps of jobs, attempts and providers that haven't ended.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};
use wasipool_shared::transport::TransportKind;

use super::handle::Finished;
use super::new_job::NewJob;
use super::states::TaskPhases;
use crate::metrics::Metrics;
use crate::store::TaskRecord;
use crate::transport::outbox::Outbox;

/// A job that hasn't ended.
#[derive(Debug)]
pub(super) struct LiveJob {
    pub(super) new: Box<NewJob>,
    /// When it came, on the driver's clock.
    pub(super) created_ms: f64,
    /// What each of its tasks does.
    pub(super) phases: TaskPhases,
    /// Its client waits: it is neither stored nor listed.
    pub(super) alone: bool,
    /// Who waits for the only task, which is not stored then.
    pub(super) reply: Option<oneshot::Sender<TaskRecord>>,
}

/// A connected provider.
#[derive(Debug)]
pub(super) struct LiveProvider {
    pub(super) label: Arc<Label>,
    pub(super) agent: String,
    pub(super) transport: TransportKind,
    pub(super) address: IpAddr,
    pub(super) outbox: Arc<Outbox>,
    pub(super) joined_unix_ms: u64,
    /// Modules that it was given work of, the last ones.
    pub(super) modules: Vec<Digest>,
}

impl LiveProvider {
    /// The metric that counts it.
    pub(super) fn gauge(&self, metrics: &Metrics) -> metrics::Gauge {
        let labels = [
            ("kind", self.label.kind.as_str()),
            ("transport", self.transport.as_str()),
        ];
        metrics.gauge("wasipool_providers", &labels)
    }
}

/// What is shown of a provider wherever it did something.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) id: ProviderId,
    pub(super) name: String,
    pub(super) kind: ProviderKind,
}

/// One try of a task, for the result and the trace.
#[derive(Debug)]
pub(super) struct Try {
    pub(super) attempt: AttemptId,
    pub(super) provider: Arc<Label>,
    pub(super) sent_ms: f64,
    pub(super) end: Option<(f64, TryEnd)>,
}

/// How a try ended.
#[derive(Debug)]
pub(super) enum TryEnd {
    /// The guest ended.
    Finished(Box<Finished>),
    /// By the provider's fault, or with the provider.
    Failed(String),
    /// Given back unstarted.
    Returned,
    /// No longer wanted.
    Revoked,
}

/// The tries of tasks that haven't ended.
#[derive(Debug, Default)]
pub(super) struct Tries {
    tasks: HashMap<TaskId, Vec<Try>>,
    by_attempt: HashMap<AttemptId, TaskId>,
}

/// Tries of one task that are kept for its trace; older ones are forgotten.
const TRIES_MAX: usize = 32;

impl Tries {
    pub(super) fn begin(&mut self, task: TaskId, attempt: Try) {
        self.by_attempt.insert(attempt.attempt, task);
        let tries = self.tasks.entry(task).or_default();
        if tries.len() == TRIES_MAX
            && let Some(ended) = tries.iter().position(|earlier| earlier.end.is_some())
        {
            tries.remove(ended);
        }
        tries.push(attempt);
    }

    /// Notes how an attempt ended; returns its task if no other attempt of it is
    /// under way.
    pub(super) fn end(&mut self, attempt: AttemptId, now_ms: f64, end: TryEnd) -> Option<TaskId> {
        let task = self.by_attempt.remove(&attempt)?;
        let tries = self.tasks.get_mut(&task)?;
        let known = tries.iter_mut().find(|known| known.attempt == attempt)?;
        known.end = Some((now_ms, end));
        tries
            .iter()
            .all(|known| known.end.is_some())
            .then_some(task)
    }

    /// The job of an attempt that is under way.
    pub(super) fn job_of(&self, attempt: AttemptId) -> Option<JobId> {
        self.by_attempt.get(&attempt).map(|task| task.job)
    }

    /// Ends all that was under way at a provider that is gone; returns the tasks
    /// of which nothing else is.
    pub(super) fn end_all_at(
        &mut self,
        provider: ProviderId,
        now_ms: f64,
        reason: &str,
    ) -> Vec<TaskId> {
        let mut idle = Vec::new();
        for (task, tries) in &mut self.tasks {
            let (mut there, mut elsewhere) = (false, false);
            for known in tries.iter_mut().filter(|known| known.end.is_none()) {
                if known.provider.id == provider {
                    there = true;
                    self.by_attempt.remove(&known.attempt);
                    known.end = Some((now_ms, TryEnd::Failed(reason.to_owned())));
                } else {
                    elsewhere = true;
                }
            }
            if there && !elsewhere {
                idle.push(*task);
            }
        }
        idle
    }

    /// The tries of a task that hasn't ended.
    pub(super) fn of(&self, task: TaskId) -> &[Try] {
        self.tasks.get(&task).map_or(&[], Vec::as_slice)
    }

    /// All tries of a task, which has ended.
    pub(super) fn take(&mut self, task: TaskId) -> Vec<Try> {
        let tries = self.tasks.remove(&task).unwrap_or_default();
        for known in &tries {
            self.by_attempt.remove(&known.attempt);
        }
        tries
    }
}
