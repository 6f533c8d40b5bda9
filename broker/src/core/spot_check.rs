//! Spot checks: where trust is adaptive, a party that is not trusted now and
//! then gets a task whose result others have agreed on already. Its answer shows
//! what it is worth without a second party's time, and it can't know which of
//! its tasks are such. The task itself has ended: nothing changes it any more.

use std::collections::{BTreeMap, VecDeque};

use wasipool_shared::digest::Digest;
use wasipool_shared::ids::AttemptId;

use super::Core;
use super::attempt::Attempt;
use super::event::{Effect, Verdict};
use super::group::{Group, Party};
use super::quorum::Replicated;
use super::trust::{Standing, chance};

/// Results that are remembered for checks, of jobs that have not ended.
const KNOWN_MAX: usize = 64;
/// Sets what chance decides here apart from what it decides elsewhere.
const SALT: u64 = 0x5b07_c4ec;

/// A result that several parties agreed on.
#[derive(Debug)]
struct Known {
    job: u32,
    index: u32,
    fingerprint: Digest,
    /// Who had the task.
    groups: Vec<Group>,
}

/// A check that is live.
#[derive(Debug)]
struct Check {
    provider: u32,
    job: u32,
    party: Party,
    fingerprint: Digest,
}

/// What can be asked, and what is.
#[derive(Debug, Default)]
pub(super) struct SpotChecks {
    known: VecDeque<Known>,
    live: BTreeMap<u64, Check>,
}

impl SpotChecks {
    /// Remembers what parties agreed on.
    pub(super) fn learn(&mut self, job: u32, index: u32, task: &Replicated, agreed: Digest) {
        if self.known.len() == KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back(Known {
            job,
            index,
            fingerprint: agreed,
            groups: task.groups().collect(),
        });
    }
}

impl Core {
    /// Sends the provider, instead of the task that it was to get, one whose
    /// result is known, if it is time for that.
    pub(super) fn spot_check(&mut self, provider_key: u32, effects: &mut Vec<Effect>) -> bool {
        let provider = &self.pool.providers[provider_key];
        let group = provider.group;
        let one_in = u64::from(self.config.spot_checks);
        let chance = chance(self.config.seed ^ SALT, self.attempts);
        if one_in == 0
            || !chance.is_multiple_of(one_in)
            || self
                .standing(group.party())
                .is_none_or(|standing| standing == Standing::Trusted)
        {
            return false;
        }
        let room_bytes = provider.room_bytes();
        let suits = |known: &&Known| {
            let needs = self.classes.get(self.jobs[known.job].class).needs;
            !known.groups.iter().any(|other| other.meets(group))
                && needs.suited_by(provider.kind, provider.capacity.features)
                && needs.memory_bytes <= room_bytes
        };
        let Some(known) = self.spot_checks.known.iter().find(suits) else {
            return false;
        };
        let check = Check {
            provider: provider_key,
            job: known.job,
            party: group.party(),
            fingerprint: known.fingerprint,
        };
        let (job, index) = (&self.jobs[known.job], known.index);
        let attempt = Attempt {
            id: self.attempts,
            job: known.job,
            index,
            expected_us: job.expected_us(provider.speed, &self.config),
            wait_us: provider.wait_us(),
            sent_ms: self.now_ms,
            trail: None,
        };
        effects.push(Effect::Check {
            provider: provider.id,
            attempt: AttemptId(attempt.id),
            task: job.task(index),
        });
        let (memory_bytes, module) = (job.memory_bytes, job.module);
        self.spot_checks.live.insert(attempt.id, check);
        self.attempts += 1;
        self.pool.start(provider_key, attempt, memory_bytes, module);
        true
    }

    /// Whether the attempt was a check; if so, what its outcome says is learned.
    pub(super) fn end_check(
        &mut self,
        now_ms: u64,
        attempt: u64,
        verdict: &Verdict,
        run_us: u64,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(check) = self.spot_checks.live.remove(&attempt) else {
            return false;
        };
        match verdict {
            Verdict::Final { fingerprint, .. } => {
                self.pool.learn(check.provider, run_us, None);
                if *fingerprint == Some(check.fingerprint) {
                    self.reputations.confirm(check.party);
                } else {
                    self.distrust(now_ms, None, check.party, effects);
                }
            }
            Verdict::Fault { reason } => self.count_fault(now_ms, check.provider, reason),
            Verdict::Returned => {}
        }
        true
    }

    /// Whether the attempt, lost with its provider, was a check.
    pub(super) fn forget_check(&mut self, attempt: u64) -> bool {
        self.spot_checks.live.remove(&attempt).is_some()
    }

    /// A job ends: nothing of it is asked any more.
    pub(super) fn stop_checks(&mut self, key: u32, effects: &mut Vec<Effect>) {
        let checks = &mut self.spot_checks;
        if checks.known.is_empty() && checks.live.is_empty() {
            return;
        }
        checks.known.retain(|known| known.job != key);
        let of_job = checks.live.iter().filter(|(_, check)| check.job == key);
        let of_job: Vec<(u64, u32)> = of_job.map(|(id, check)| (*id, check.provider)).collect();
        for (attempt, provider) in of_job {
            self.spot_checks.live.remove(&attempt);
            self.revoke_at(provider, attempt, effects);
        }
    }
}
