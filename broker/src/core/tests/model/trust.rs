//! Whose results are believed.

use super::super::super::group::Party;
use super::super::*;
use super::{Model, ModelJob, checks};

impl Model {
    /// Equal results that a task of the job may need.
    pub(super) fn quorum(&self, job: &ModelJob) -> u32 {
        match self.config.trust {
            Trust::All => job.spec.quorum,
            Trust::Adaptive => job.spec.quorum.max(2),
        }
    }

    /// What an agreement says about those who gave results.
    pub(super) fn learn(&mut self, task: TaskId, end: &End) {
        let votes = self.jobs[&task.job].votes.get(&task.index);
        let (Trust::Adaptive, Some(votes), End::Final { attempt, .. }) =
            (self.config.trust, votes, end)
        else {
            return;
        };
        let won = votes.iter().find(|vote| vote.attempt == *attempt);
        let won = won.expect("the result that counts was given");
        if checks::equal_to(won, votes) < 2 {
            return;
        }
        self.known
            .extend(won.fingerprint.map(|known| (task, known)));
        let mut liars = Vec::new();
        for vote in votes {
            if vote.fingerprint == won.fingerprint {
                *self.confirmed.entry(vote.group.party()).or_default() += 1;
            } else {
                liars.push(vote.group.party());
            }
        }
        for liar in liars {
            self.confirmed.remove(&liar);
            self.strike(task, liar);
        }
    }

    pub(super) fn learn_of_check(&mut self, group: Group, task: TaskId, verdict: &Verdict) {
        match verdict {
            Verdict::Final { fingerprint, .. } if *fingerprint == Some(self.known[&task]) => {
                *self.confirmed.entry(group.party()).or_default() += 1;
            }
            Verdict::Final { .. } => {
                self.confirmed.remove(&group.party());
                self.strike(task, group.party());
            }
            Verdict::Returned | Verdict::Fault { .. } => {}
        }
    }

    /// Results of a group that nobody confirmed yet count no more.
    fn strike(&mut self, ended: TaskId, liar: Party) {
        for (id, job) in &mut self.jobs {
            for (index, votes) in &mut job.votes {
                if job.spec.quorum > 1 || (*id == ended.job && *index == ended.index) {
                    continue;
                }
                let struck = votes.extract_if(.., |vote| vote.group.party() == liar);
                let struck = struck.map(|vote| vote.group);
                job.struck.entry(*index).or_default().extend(struck);
            }
        }
    }
}
