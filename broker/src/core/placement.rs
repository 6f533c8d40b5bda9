//! Who gets the next task: providers in the order of expected finish time.
//!
//! Providers with room stand on shelves. Everything on one shelf can do the
//! same: its kind, its features and, to a power of two, its free memory are
//! equal, so a task that fits one provider of a shelf fits all (at the shelf
//! where the memory is tight, almost all), and the best fit is the first of the
//! first. A shelf is a range of one ordered set of packed numbers:
//! species, memory level, score, provider.
//!
//! There are two such sets: of providers with a free slot, and of those whose
//! slots are taken but that may be sent a few tasks ahead. The second is used
//! only when the first has nobody.

use std::collections::BTreeSet;

use wasipool_shared::capacity::{Features, ProviderKind};

use super::class::Needs;
use super::pool::{Pool, Provider};

const KEY_BITS: u32 = 20;
const SCORE_BITS: u32 = 10;
const LEVEL_BITS: u32 = 6;
const LEVEL_SHIFT: u32 = KEY_BITS + SCORE_BITS;
const SPECIES_SHIFT: u32 = LEVEL_SHIFT + LEVEL_BITS;
/// No task needs more than 4 GiB, so more free memory makes no difference.
const LEVEL_MAX: u64 = 33;
/// Providers looked at on a shelf before a task is not sent ahead: those
/// further down have more to do.
const AHEAD_TRIES: usize = 8;
/// Providers looked at for one that has the module.
const MODULE_TRIES: usize = 4;
/// Steps of score that having the module is worth (about a tenth).
const MODULE_BONUS: u64 = 2;

/// Kind and features that some providers have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Species {
    kind: ProviderKind,
    features: Features,
    members: u32,
}

/// Which set of shelves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// A slot is free.
    Slot,
    /// Only room to send a task ahead.
    Ahead,
}

/// The two sets.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    slot: BTreeSet<u64>,
    ahead: BTreeSet<u64>,
}

impl Shelves {
    /// As many as their keys have numbers.
    pub(super) const PROVIDERS_MAX: usize = 1 << KEY_BITS;

    fn of(&self, room: Room) -> &BTreeSet<u64> {
        match room {
            Room::Slot => &self.slot,
            Room::Ahead => &self.ahead,
        }
    }

    fn change(&mut self, place: Option<(bool, u64)>, put: bool) {
        let Some((has_slot, packed)) = place else {
            return;
        };
        let set = if has_slot {
            &mut self.slot
        } else {
            &mut self.ahead
        };
        if put {
            set.insert(packed);
        } else {
            set.remove(&packed);
        }
    }

    pub(super) fn is_empty(&self, room: Room) -> bool {
        self.of(room).is_empty()
    }
}

fn pack(species: u64, level: u64, score: u64, key: u32) -> u64 {
    species << SPECIES_SHIFT | level << LEVEL_SHIFT | score << KEY_BITS | u64::from(key)
}

fn species(packed: u64) -> u64 {
    packed >> SPECIES_SHIFT
}

fn level(packed: u64) -> u64 {
    packed >> LEVEL_SHIFT & ((1 << LEVEL_BITS) - 1)
}

fn score(packed: u64) -> u64 {
    packed >> KEY_BITS & ((1 << SCORE_BITS) - 1)
}

fn key(packed: u64) -> u32 {
    (packed & ((1 << KEY_BITS) - 1)) as u32
}

/// The shelf of so much memory: the number of its bits.
fn memory_level(bytes: u64) -> u64 {
    u64::from(u64::BITS - bytes.leading_zeros()).min(LEVEL_MAX)
}

/// A time as one of 16 steps an octave, so that a provider moves on its shelf
/// only when it matters.
fn steps(time_us: u64) -> u64 {
    if time_us < 16 {
        return time_us;
    }
    let octave = u64::from(time_us.ilog2());
    (octave - 3) * 16 + (time_us >> (octave - 4) & 15)
}

impl Pool {
    pub(super) fn join_species(&mut self, kind: ProviderKind, features: Features) -> u32 {
        let found = self
            .species
            .iter()
            .find(|(_, species)| species.kind == kind && species.features == features)
            .map(|(species, _)| species);
        let species = found.unwrap_or_else(|| {
            self.species.insert(Species {
                kind,
                features,
                members: 0,
            })
        });
        self.species[species].members += 1;
        species
    }

    pub(super) fn leave_species(&mut self, species: u32) {
        self.species[species].members -= 1;
        if self.species[species].members == 0 {
            self.species.remove(species);
        }
    }

    /// Time after which work sent there now would be done, for one of many
    /// slots; what its order on the shelf goes by.
    fn expected_finish_us(&self, provider: &Provider, has_slot: bool) -> u64 {
        let slots = f64::from(provider.slots());
        let run_us = self.typical_us * 1_000.0 / provider.speed;
        let wait_us = if has_slot {
            // It starts at once, but slots in use slow each other down a bit
            // and work spread out is lost in smaller pieces.
            run_us * f64::from(provider.in_flight.len()) / slots
        } else {
            provider.backlog_us as f64 / slots
        };
        (f64::from(provider.round_trip_us.unwrap_or(0)) + wait_us + run_us) as u64
    }

    /// Whether a provider without a free slot may be sent a task ahead: work for
    /// about one round trip may wait there. Tasks that run longer than
    /// `prefetch_us` fill that by running, so none of them waits; of a
    /// millisecond, a hundred a slot do.
    fn has_room_ahead(&self, provider: &Provider) -> bool {
        let ahead = provider.in_flight.len() - provider.slots();
        let round_trip_us = u64::from(provider.round_trip_us.unwrap_or(0));
        let room_us = (self.config.prefetch_us + round_trip_us) * u64::from(provider.slots());
        ahead < self.config.prefetch_max && provider.backlog_us < room_us
    }

    /// Puts a provider where it belongs now.
    pub(super) fn shelve(&mut self, provider_key: u32) {
        let provider = &self.providers[provider_key];
        let has_slot = provider.in_flight.len() < provider.slots();
        let place =
            (provider.is_open() && (has_slot || self.has_room_ahead(provider))).then(|| {
                let level = memory_level(provider.room_bytes());
                let score = steps(self.expected_finish_us(provider, has_slot));
                (
                    has_slot,
                    pack(u64::from(provider.species), level, score, provider_key),
                )
            });
        if place != provider.shelved {
            self.shelves.change(provider.shelved, false);
            self.shelves.change(place, true);
            self.providers[provider_key].shelved = place;
        }
    }

    /// Takes a provider off the shelves.
    pub(super) fn unshelve(&mut self, provider_key: u32) {
        let place = self.providers[provider_key].shelved.take();
        self.shelves.change(place, false);
    }

    /// The provider with room where a task of those needs is done first, among
    /// those that `accept`.
    pub(super) fn find(
        &self,
        room: Room,
        needs: &Needs,
        module: u32,
        mut accept: impl FnMut(&Provider) -> bool,
    ) -> Option<u32> {
        let set = self.shelves.of(room);
        let last = *set.last()?;
        let level_min = memory_level(needs.memory_bytes);
        let mut best: Option<u64> = None;
        let mut from = 0;
        while let Some(first) = set.range(from..).next().copied() {
            let shelf = &self.species[species(first) as u32];
            if !needs.suited_by(shelf.kind, shelf.features) {
                from = pack(species(first) + 1, 0, 0, 0);
            } else if level(first) < level_min {
                from = pack(species(first), level_min, 0, 0);
            } else {
                let end = pack(species(first), level(first) + 1, 0, 0);
                let tight = level(first) == level_min;
                let fits = |provider: &Provider| {
                    (!tight || provider.room_bytes() >= needs.memory_bytes) && accept(provider)
                };
                let found = self.first_of_shelf(set, first..end, room, module, fits);
                // Ties go to the first, so that the order is always the same.
                if found.is_some_and(|new| best.is_none_or(|old| score(new) < score(old))) {
                    best = found;
                }
                from = end;
            }
            if from > last {
                break;
            }
        }
        best.map(key)
    }

    fn first_of_shelf(
        &self,
        set: &BTreeSet<u64>,
        shelf: std::ops::Range<u64>,
        room: Room,
        module: u32,
        mut fits: impl FnMut(&Provider) -> bool,
    ) -> Option<u64> {
        let tries = if room == Room::Slot {
            usize::MAX
        } else {
            AHEAD_TRIES
        };
        let mut candidates = set.range(shelf).copied().take(tries);
        let first = candidates.find(|packed| fits(&self.providers[key(*packed)]))?;
        if self.providers[key(first)].has_module(module) {
            return Some(first);
        }
        // Having the module is worth a little: look a little further.
        let near = candidates
            .take(MODULE_TRIES - 1)
            .take_while(|packed| score(*packed) <= score(first) + MODULE_BONUS)
            .find(|packed| {
                let provider = &self.providers[key(*packed)];
                provider.has_module(module) && fits(provider)
            });
        near.or(Some(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_with_time_and_fit_their_bits() {
        let mut last = 0;
        for bits in 0..64 {
            for time_us in [1_u64 << bits, (1 << bits) + (1 << bits >> 1)] {
                assert!(steps(time_us) >= last, "{time_us}");
                last = steps(time_us);
            }
        }
        assert!(steps(u64::MAX) < 1 << SCORE_BITS);
        assert!(memory_level(u64::MAX) < 1 << LEVEL_BITS);
    }
}
