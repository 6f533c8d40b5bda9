//! Whom results are believed of, in pools with strangers.
//!
//! Adaptive replication after the policy of BOINC (D. P. Anderson, "BOINC: A
//! Platform for Volunteer Computing", and its AdaptiveReplication page): of each
//! party, here an account or address, the length CV of its run of results that
//! others confirmed is kept. A task is sent alone to a party that is trusted:
//! with CV of ten or more, and then with a probability of 1 − 1/CV. Otherwise
//! the task needs a second, equal result from another party. A result that
//! others contradict ends the run, and what the party gave that is not confirmed
//! yet is run again elsewhere. Results that were accepted stay: a task ends once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Core;
use super::event::{Effect, Trust};
use super::group::Party;
use super::quorum::{Replicated, Vote};

/// Parties that are remembered.
const PARTIES_MAX: usize = 100_000;

/// What a provider's account or address counts for, where trust is adaptive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Others have not confirmed enough of its results yet.
    New,
    /// Its results are mostly accepted as they are.
    Trusted,
    /// Others contradicted it, and confirmed nothing since.
    Distrusted,
}

impl Standing {
    /// Its name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Trusted => "trusted",
            Self::Distrusted => "distrusted",
        }
    }
}

/// What is known of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reputation {
    /// Results in a row that others confirmed.
    confirmed: u32,
    /// Results that others contradicted, ever.
    contradicted: u32,
}

impl Reputation {
    fn standing(self, trusted_after: u32) -> Standing {
        match self.confirmed {
            confirmed if confirmed >= trusted_after.max(1) => Standing::Trusted,
            0 if self.contradicted > 0 => Standing::Distrusted,
            _ => Standing::New,
        }
    }
}

/// What is known of all parties.
#[derive(Debug, Default)]
pub(super) struct Reputations {
    /// With when something was learned last.
    parties: BTreeMap<Party, (Reputation, u64)>,
    lessons: u64,
}

impl Reputations {
    pub(super) fn of(&self, party: Party) -> Reputation {
        let known = self.parties.get(&party);
        known.map_or_else(Reputation::default, |(reputation, _)| *reputation)
    }

    /// Others gave the same result.
    pub(super) fn confirm(&mut self, party: Party) {
        let known = self.entry(party);
        known.confirmed = known.confirmed.saturating_add(1);
    }

    /// Others agreed on another result.
    pub(super) fn contradict(&mut self, party: Party) -> Reputation {
        let known = self.entry(party);
        known.confirmed = 0;
        known.contradicted = known.contradicted.saturating_add(1);
        *known
    }

    fn entry(&mut self, party: Party) -> &mut Reputation {
        if self.parties.len() >= PARTIES_MAX && !self.parties.contains_key(&party) {
            // The half of which nothing was heard for longest.
            let mut lessons: Vec<u64> = self.parties.values().map(|(_, at)| *at).collect();
            let (_, middle, _) = lessons.select_nth_unstable(PARTIES_MAX / 2);
            let middle = *middle;
            self.parties.retain(|_, (_, at)| *at >= middle);
        }
        self.lessons += 1;
        let (reputation, at) = self.parties.entry(party).or_default();
        *at = self.lessons;
        reputation
    }
}

/// Whether a party is believed this time; `chance` is random.
pub(super) fn believes(reputation: Reputation, trusted_after: u32, chance: u64) -> bool {
    let run = reputation.confirmed;
    reputation.standing(trusted_after) == Standing::Trusted
        && !chance.is_multiple_of(u64::from(run))
}

impl Core {
    /// Whether a party's result needs nobody else's this time.
    pub(super) fn believes(&self, party: Party) -> bool {
        let chance = chance(self.config.seed, self.attempts);
        self.config.trust == Trust::All
            || believes(
                self.reputations.of(party),
                self.config.trusted_after,
                chance,
            )
    }

    /// What a party counts for, where that matters.
    pub(super) fn standing(&self, party: Party) -> Option<Standing> {
        let of = || {
            self.reputations
                .of(party)
                .standing(self.config.trusted_after)
        };
        (self.config.trust == Trust::Adaptive).then(of)
    }

    /// Takes in what an agreement says about those who gave results; returns
    /// the parties that it contradicts.
    pub(super) fn learn_of_votes(
        &mut self,
        (job, index): (u32, u32),
        task: &Replicated,
        agreed: &Vote,
    ) -> Vec<Party> {
        if self.config.trust == Trust::All || task.quorum < 2 {
            return Vec::new();
        }
        if let Some(fingerprint) = agreed.fingerprint {
            self.spot_checks.learn(job, index, task, fingerprint);
        }
        let mut contradicted = Vec::new();
        for vote in &task.votes {
            let party = vote.replica.group.party();
            if vote.fingerprint == agreed.fingerprint {
                self.reputations.confirm(party);
            } else {
                contradicted.push(party);
            }
        }
        contradicted
    }

    /// A party gave a result that others contradict: its run ends, it rests, and
    /// what nobody confirmed yet of what it gave or runs is run again elsewhere.
    /// The job `current`, if any, is left for its caller to settle.
    pub(super) fn distrust(
        &mut self,
        now_ms: u64,
        current: Option<u32>,
        party: Party,
        effects: &mut Vec<Effect>,
    ) {
        let times = self.reputations.contradict(party).contradicted;
        let reason: Arc<str> =
            format!("others contradicted results of its account or address, {times} in all").into();
        let all = self.pool.providers.iter();
        let of_party = all.filter(|(_, provider)| provider.group.party() == party);
        let providers: Vec<u32> = of_party.map(|(key, _)| key).collect();
        for provider in providers {
            self.rest(now_ms, provider, times - 1, Arc::clone(&reason));
        }
        let jobs: Vec<u32> = self.jobs.iter().map(|(key, _)| key).collect();
        for key in jobs {
            // A job that asked for a quorum has it anyway.
            let replicas = self.jobs[key].replicas.as_mut();
            let Some(replicas) = replicas.filter(|replicas| !replicas.is_asked_for()) else {
                continue;
            };
            let changed = replicas.strike(party);
            for index in &changed {
                self.count_votes(now_ms, key, *index, effects);
            }
            if !changed.is_empty() && Some(key) != current {
                self.settle_job(key, effects);
            }
        }
    }
}

/// A number that looks random, of a seed and a place (splitmix64).
pub(super) fn chance(seed: u64, place: u64) -> u64 {
    let mut mixed = seed ^ place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_ten_is_believed_nine_times_of_ten() {
        let of = |confirmed| Reputation {
            confirmed,
            contradicted: 0,
        };
        let believed = |confirmed| {
            let times = (0..10_000).filter(|place| believes(of(confirmed), 10, chance(7, *place)));
            times.count()
        };
        assert_eq!(believed(0), 0);
        assert_eq!(believed(9), 0);
        assert!(believed(10).abs_diff(9_000) < 100);
        assert!(believed(100).abs_diff(9_900) < 50);
    }

    #[test]
    fn a_contradiction_ends_the_run_and_is_remembered() {
        let mut reputations = Reputations::default();
        (0..12).for_each(|_| reputations.confirm(Party::Address(3)));
        assert_eq!(reputations.of(Party::Address(3)).confirmed, 12);
        reputations.contradict(Party::Address(3));
        reputations.confirm(Party::Address(3));
        let wanted = Reputation {
            confirmed: 1,
            contradicted: 1,
        };
        assert_eq!(reputations.of(Party::Address(3)), wanted);
    }

    #[test]
    fn parties_that_are_long_gone_are_forgotten() {
        let mut reputations = Reputations::default();
        for group in 0..=PARTIES_MAX as u64 {
            reputations.confirm(Party::Account(group));
        }
        assert!(reputations.parties.len() <= PARTIES_MAX / 2 + 2);
        assert_eq!(reputations.of(Party::Account(0)), Reputation::default());
        assert_eq!(
            reputations.of(Party::Account(PARTIES_MAX as u64)).confirmed,
            1
        );
    }
}
