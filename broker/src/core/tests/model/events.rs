//! What comes to the core, on the record.

use std::collections::BTreeMap;

use super::super::*;
use super::{Model, ModelJob, ModelProvider, Vote};

impl Model {
    pub(super) fn record(&mut self, event: &Event) {
        match event {
            Event::Submit { job, spec } => {
                self.jobs
                    .entry(*job)
                    .or_insert_with(|| ModelJob::new(spec.clone(), BTreeMap::new()));
            }
            Event::Join {
                provider,
                kind,
                capacity,
                group,
            } => {
                let record = ModelProvider {
                    kind: *kind,
                    slots_in_use: capacity.slots,
                    capacity: capacity.clone(),
                    group: *group,
                    draining: false,
                    silent: false,
                    live: Vec::new(),
                };
                self.providers.insert(*provider, record);
            }
            Event::Capacity { provider, capacity } => {
                let record = self.providers.get_mut(provider).expect("it joined");
                if capacity.slots > 0 {
                    record.slots_in_use = capacity.slots;
                }
                record.capacity = capacity.clone();
            }
            Event::Drain { provider } => {
                self.providers
                    .get_mut(provider)
                    .expect("it joined")
                    .draining = true;
            }
            Event::Leave { provider } => {
                let record = self.providers.remove(provider).expect("it joined");
                for (at, (attempt, task)) in record.live.into_iter().enumerate() {
                    if self.checks.remove(&attempt).is_some() {
                        self.old.push((*provider, attempt));
                        continue;
                    }
                    let counts = at < usize::from(record.slots_in_use);
                    self.end_attempt(*provider, attempt, task, counts.then_some(None));
                }
            }
            Event::Ended {
                provider,
                attempt,
                verdict,
                ..
            } => self.record_end(*provider, *attempt, verdict),
            Event::Cancel { .. } | Event::RoundTrip { .. } | Event::Tick => {}
        }
    }

    fn record_end(&mut self, provider: ProviderId, attempt: AttemptId, verdict: &Verdict) {
        let record = self.providers.get_mut(&provider).expect("it joined");
        let at = record.live.iter().position(|(live, _)| *live == attempt);
        let (attempt, task) = record.live.remove(at.expect("it is live"));
        let group = record.group;
        if self.checks.remove(&attempt).is_some() {
            self.old.push((provider, attempt));
            return self.learn_of_check(group, task, verdict);
        }
        let loss = matches!(verdict, Verdict::Fault { .. }).then_some(Some(provider));
        self.end_attempt(provider, attempt, task, loss);
        let job = self.jobs.get_mut(&task.job).expect("the job is there");
        match verdict {
            Verdict::Final {
                succeeded,
                fingerprint,
            } => job.votes.entry(task.index).or_default().push(Vote {
                group,
                attempt,
                succeeded: *succeeded,
                fingerprint: *fingerprint,
            }),
            Verdict::Returned => drop(job.avoid.insert(task.index, provider)),
            Verdict::Fault { .. } => {}
        }
    }

    /// `loss` is there if it counts, with who is to be avoided then.
    pub(super) fn end_attempt(
        &mut self,
        provider: ProviderId,
        attempt: AttemptId,
        task: TaskId,
        loss: Option<Option<ProviderId>>,
    ) {
        self.old.push((provider, attempt));
        let job = self
            .jobs
            .get_mut(&task.job)
            .expect("a job with live attempts is there");
        let live = job.live.get_mut(&task.index).expect("the task is live");
        live.retain(|(_, other)| *other != attempt);
        if live.is_empty() {
            job.live.remove(&task.index);
        }
        if let Some(avoid) = loss {
            *job.losses.entry(task.index).or_default() += 1;
            job.avoid.remove(&task.index);
            job.avoid.extend(avoid.map(|avoid| (task.index, avoid)));
        }
    }
}
