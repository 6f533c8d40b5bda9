//! Providers that come, change and go.

use std::sync::Arc;

use wasipool_shared::capacity::{Capacity, ProviderKind};
use wasipool_shared::ids::ProviderId;

use super::Core;
use super::event::Effect;
use super::group::Group;
use super::pool::Pool;
use super::timer::Timer;

/// What is kept of a provider's own words about its fault, in bytes.
const REASON_BYTES_MAX: usize = 256;

fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

impl Core {
    pub(super) fn join(
        &mut self,
        now_ms: u64,
        id: ProviderId,
        kind: ProviderKind,
        capacity: Capacity,
        group: Group,
    ) {
        if let Some(key) = self.pool.add(id, kind, capacity, group) {
            self.classes.count(&self.pool.providers[key], 1);
            self.pool.shelve(key);
            self.settle_classes(now_ms);
        }
    }

    /// Changes what others see of a provider, and what follows from it.
    fn change(&mut self, now_ms: u64, key: u32, change: impl FnOnce(&mut Pool)) {
        self.classes.count(&self.pool.providers[key], -1);
        change(&mut self.pool);
        self.classes.count(&self.pool.providers[key], 1);
        self.pool.shelve(key);
        self.settle_classes(now_ms);
    }

    /// Starts and stops the deadlines of jobs that nobody can run.
    fn settle_classes(&mut self, now_ms: u64) {
        for class in self.classes.settle(now_ms) {
            for job in self.classes.get(class).waiting_jobs() {
                self.refresh(job);
            }
        }
    }

    pub(super) fn change_capacity(&mut self, now_ms: u64, id: ProviderId, capacity: Capacity) {
        if let Some(key) = self.pool.key(id) {
            self.change(now_ms, key, |pool| pool.change_capacity(key, capacity));
        }
    }

    pub(super) fn note_round_trip(&mut self, id: ProviderId, micros: u32) {
        if let Some(key) = self.pool.key(id) {
            self.pool.providers[key].round_trip_us = Some(micros);
            self.pool.shelve(key);
        }
    }

    pub(super) fn drain(&mut self, now_ms: u64, id: ProviderId) {
        if let Some(key) = self.pool.key(id) {
            self.change(now_ms, key, |pool| pool.providers[key].draining = true);
        }
    }

    /// Counts a fault of a provider; after several in a row it rests.
    pub(super) fn count_fault(&mut self, now_ms: u64, key: u32, fault: &str) {
        let provider = &mut self.pool.providers[key];
        provider.failures += 1;
        provider.faults_in_row = provider.faults_in_row.saturating_add(1);
        let faults = provider.faults_in_row;
        if let Some(over) = faults.checked_sub(self.config.cooldown_faults) {
            let last = shortened(fault, REASON_BYTES_MAX);
            let reason = format!("{faults} faults in a row, the last: {last}");
            self.rest(now_ms, key, over, reason.into());
        }
    }

    /// Gives a provider nothing for a while, twice as long for each time before.
    pub(super) fn rest(&mut self, now_ms: u64, key: u32, before: u32, reason: Arc<str>) {
        let factor = 1_u64.checked_shl(before).unwrap_or(u64::MAX);
        let rest_ms = self
            .config
            .cooldown_ms
            .saturating_mul(factor)
            .min(self.config.cooldown_ms_max);
        let old_ms = self.pool.providers[key].cooled_until_ms;
        // Faults of what was in flight when the rest began don't shorten it.
        let until_ms = Some(now_ms.saturating_add(rest_ms)).max(old_ms);
        self.timers.replace(Timer::Cooldown(key), old_ms, until_ms);
        self.change(now_ms, key, |pool| {
            pool.providers[key].cooled_until_ms = until_ms;
            pool.providers[key].rest_reason = Some(reason);
        });
    }

    pub(super) fn end_cooldown(&mut self, now_ms: u64, key: u32) {
        self.change(now_ms, key, |pool| {
            pool.providers[key].cooled_until_ms = None;
            pool.providers[key].rest_reason = None;
        });
    }

    pub(super) fn leave(&mut self, now_ms: u64, id: ProviderId, effects: &mut Vec<Effect>) {
        let Some(key) = self.pool.key(id) else { return };
        self.classes.count(&self.pool.providers[key], -1);
        let mut provider = self.pool.remove(key);
        self.timers
            .replace(Timer::Cooldown(key), provider.cooled_until_ms, None);
        self.settle_classes(now_ms);
        // Which of them ran can't be known; the provider takes them in order,
        // so it was as many of the oldest as it has slots.
        let attempts = provider.in_flight.take_all();
        self.lose_all(now_ms, id, attempts, provider.slots_in_use, effects);
    }
}
