//! What the core says, held against the record.

use super::super::*;
use super::store::Ended;
use super::{Model, checks};

impl Model {
    pub(super) fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Assign {
                provider,
                attempt,
                task,
            } => self.assign(provider, attempt, task),
            Effect::Check {
                provider,
                attempt,
                task,
            } => self.assign_check(provider, attempt, task),
            Effect::Revoke { provider, attempt } => {
                let record = self.providers.get_mut(&provider).expect("it is connected");
                let at = record.live.iter().position(|(live, _)| *live == attempt);
                let (_, task) = record
                    .live
                    .remove(at.expect("only what is live is revoked"));
                if self.checks.remove(&attempt).is_some() {
                    return self.old.push((provider, attempt));
                }
                self.end_attempt(provider, attempt, task, None);
                let job = self.jobs.get_mut(&task.job).expect("it is there");
                *job.revoked.entry(task.index).or_default() += 1;
            }
            Effect::TaskEnded {
                task,
                end,
                attempts,
            } => self.end_task(task, &end, attempts),
            Effect::JobEnded { job, counts } => {
                let record = self.jobs.remove(&job).expect("a job ends once");
                self.known.retain(|task, _| task.job != job);
                assert!(self.checks.values().all(|task| task.job != job));
                assert!(self.ended_jobs.insert(job));
                assert_eq!(record.ended.len(), record.spec.tasks as usize);
                assert!(record.live.is_empty());
                assert_eq!(
                    (counts.tasks, counts.ended()),
                    (record.spec.tasks, record.spec.tasks)
                );
            }
            Effect::Dropped { .. } => panic!("only live attempts were named"),
        }
    }

    fn end_task(&mut self, task: TaskId, end: &End, attempts: u32) {
        self.learn(task, end);
        let trusted = match end {
            End::Final { attempt, .. } => self.trusted.contains(attempt),
            _ => false,
        };
        let needed = self.quorum(&self.jobs[&task.job]);
        let job = self.jobs.get_mut(&task.job).expect("the job has not ended");
        let losses = job.losses.remove(&task.index).unwrap_or(0);
        let votes = job.votes.remove(&task.index).unwrap_or_default();
        let revoked = job.revoked.remove(&task.index).unwrap_or(0);
        let alone = needed <= 1 || (trusted && job.spec.quorum <= 1);
        checks::check_end(job, end, losses, &votes, if alone { 1 } else { needed });
        if needed <= 1 && matches!(end, End::Final { .. }) {
            assert_eq!(attempts, losses + revoked + 1);
        }
        job.struck.remove(&task.index);
        let ended = match end {
            End::Final { attempt, .. } => {
                let won = votes.iter().find(|vote| vote.attempt == *attempt);
                let won = won.expect("the result that counts was given");
                if won.succeeded {
                    Ended::Succeeded
                } else {
                    Ended::Failed
                }
            }
            End::Lost { .. } => Ended::Lost,
            End::Rejected { .. } => Ended::Rejected,
            End::Disputed { .. } => Ended::Disputed,
            End::Cancelled => Ended::Cancelled,
        };
        let before = job.ended.insert(task.index, ended);
        assert_eq!(before, None, "{task} ended twice");
        assert!(!job.live.contains_key(&task.index), "{task} is live still");
        self.store.end(task, ended);
    }
}
