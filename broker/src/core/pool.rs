//! The connected providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasipool_shared::capacity::{Capacity, ProviderKind};
use wasipool_shared::ids::ProviderId;

use super::attempt::{Attempt, InFlight, Trail};
use super::event::{Config, ProviderView};
use super::group::Group;
use super::placement::{Shelves, Species};
use super::slab::Slab;
use super::trust::Standing;

/// Modules that a provider is known to have; the least recently used is
/// forgotten first.
const MODULES_MAX: usize = 64;
/// Providers observed to be this much faster or slower than they report are
/// taken to be no more than that.
const SPEED_DOUBT: f64 = 8.0;
/// Runs shorter than this are more overhead than speed.
const TELLING_RUN_US: f64 = 1_000.0;

/// Guest memory of the tasks at a provider: sizes with how many there are,
/// largest first. There are seldom more than a few different ones.
#[derive(Debug, Default)]
struct MemoryUse(Vec<(u64, u32)>);

impl MemoryUse {
    fn change(&mut self, bytes: u64, by: i32) {
        let at = self.0.partition_point(|(other, _)| *other > bytes);
        match self.0.get_mut(at) {
            Some((other, count)) if *other == bytes => {
                *count = count.saturating_add_signed(by);
                if *count == 0 {
                    self.0.remove(at);
                }
            }
            _ => self.0.insert(at, (bytes, 1)),
        }
    }

    /// What the `count` largest need together.
    fn largest(&self, mut count: u32) -> u64 {
        let mut sum = 0_u64;
        for (bytes, there) in &self.0 {
            let taken = count.min(*there);
            sum = sum.saturating_add(bytes.saturating_mul(u64::from(taken)));
            count -= taken;
            if count == 0 {
                break;
            }
        }
        sum
    }
}

/// A connected provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) id: ProviderId,
    pub(super) kind: ProviderKind,
    pub(super) capacity: Capacity,
    pub(super) group: Group,
    /// Slots before it paused, if it did: what may still run.
    pub(super) slots_in_use: u32,
    pub(super) draining: bool,
    pub(super) cooled_until_ms: Option<u64>,
    pub(super) faults_in_row: u32,
    pub(super) failures: u64,
    /// Why it gets nothing at present.
    pub(super) rest_reason: Option<Arc<str>>,
    tasks_done: u64,
    /// Speed of a slot as seen; starts as reported.
    pub(super) speed: f64,
    pub(super) round_trip_us: Option<u32>,
    pub(super) in_flight: InFlight,
    memory: MemoryUse,
    /// Expected run time of all that is in flight.
    pub(super) backlog_us: u64,
    /// Modules sent there, the latest first.
    modules: Vec<u32>,
    pub(super) species: u32,
    /// Where the shelves have it.
    pub(super) shelved: Option<(bool, u64)>,
}

impl Provider {
    /// Whether it takes tasks, were there room.
    pub(super) fn is_open(&self) -> bool {
        self.capacity.slots > 0 && !self.draining && self.cooled_until_ms.is_none()
    }

    pub(super) fn slots(&self) -> u32 {
        u32::from(self.capacity.slots)
    }

    /// The most memory that one more task may need, so that no `slots` of the
    /// tasks in flight, whichever run at the same time, need more than there
    /// is. Tasks that only wait there cost nothing.
    pub(super) fn room_bytes(&self) -> u64 {
        let others = self.memory.largest(self.slots().saturating_sub(1));
        self.capacity.memory_bytes.saturating_sub(others)
    }

    /// Time that one more task would wait there for a slot, in microseconds.
    pub(super) fn wait_us(&self) -> u32 {
        if self.in_flight.len() < self.slots() {
            return 0;
        }
        let wait_us = self.backlog_us / u64::from(self.slots().max(1));
        u32::try_from(wait_us).unwrap_or(u32::MAX)
    }

    pub(super) fn has_module(&self, module: u32) -> bool {
        self.modules.contains(&module)
    }

    fn note_module(&mut self, module: u32) {
        match self.modules.iter().position(|known| *known == module) {
            Some(0) => {}
            Some(at) => self.modules[..=at].rotate_right(1),
            None => {
                self.modules.truncate(MODULES_MAX - 1);
                self.modules.insert(0, module);
            }
        }
    }

    /// Gives it an attempt.
    pub(super) fn start(&mut self, attempt: Attempt, memory_bytes: u64, module: u32) {
        self.backlog_us += u64::from(attempt.expected_us);
        self.memory.change(memory_bytes, 1);
        self.note_module(module);
        self.in_flight.push(attempt);
    }

    /// An attempt that was taken out of those in flight needs nothing more.
    pub(super) fn release(&mut self, attempt: &Attempt, memory_bytes: u64) {
        self.backlog_us -= u64::from(attempt.expected_us);
        self.memory.change(memory_bytes, -1);
    }

    /// Learns from a result: how many microseconds it would have run at a speed
    /// of 1,000, given what such a task takes on average, if that is known.
    pub(super) fn learn(&mut self, run_us: u64, mean_us: Option<f64>) -> f64 {
        self.faults_in_row = 0;
        self.tasks_done += 1;
        let run_us = run_us.max(1) as f64;
        let sample_us = run_us * self.speed / 1_000.0;
        if let Some(mean_us) = mean_us.filter(|_| run_us >= TELLING_RUN_US) {
            let reported = reported_speed(&self.capacity);
            let seen = mean_us * 1_000.0 / run_us;
            let speed = self.speed + (seen.min(self.speed * 4.0) - self.speed) / 32.0;
            self.speed = speed.clamp(reported / SPEED_DOUBT, reported * SPEED_DOUBT);
        }
        sample_us
    }

    pub(super) fn view(&self, standing: Option<Standing>) -> ProviderView {
        let busy = self.in_flight.len().min(self.slots());
        ProviderView {
            provider: self.id,
            kind: self.kind,
            capacity: self.capacity.clone(),
            group: self.group,
            busy,
            queued: self.in_flight.len() - busy,
            tasks_done: self.tasks_done,
            failures: self.failures,
            speed: self.speed as u32,
            round_trip_us: self.round_trip_us,
            cooled_down_until_ms: self.cooled_until_ms,
            cooled_down_reason: self.rest_reason.clone(),
            standing,
            draining: self.draining,
        }
    }
}

fn reported_speed(capacity: &Capacity) -> f64 {
    f64::from(capacity.speed.max(1))
}

/// All of them.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) providers: Slab<Provider>,
    by_id: BTreeMap<ProviderId, u32>,
    pub(super) species: Slab<Species>,
    pub(super) shelves: Shelves,
    pub(super) slots: u64,
    pub(super) in_flight: u64,
    /// Mean run time of all tasks at a speed of 1,000: what a provider is
    /// judged by before it is known what it will get.
    pub(super) typical_us: f64,
    pub(super) config: Config,
}

impl Pool {
    pub(super) fn new(config: Config) -> Self {
        Self {
            providers: Slab::new(),
            by_id: BTreeMap::new(),
            species: Slab::new(),
            shelves: Shelves::default(),
            slots: 0,
            in_flight: 0,
            typical_us: config.unknown_run_us as f64,
            config,
        }
    }

    pub(super) fn key(&self, provider: ProviderId) -> Option<u32> {
        self.by_id.get(&provider).copied()
    }

    /// Adds a provider; `None` if it is there or there are too many.
    pub(super) fn add(
        &mut self,
        id: ProviderId,
        kind: ProviderKind,
        capacity: Capacity,
        group: Group,
    ) -> Option<u32> {
        if self.by_id.contains_key(&id) || self.providers.len() >= Shelves::PROVIDERS_MAX {
            return None;
        }
        self.slots += u64::from(capacity.slots);
        let species = self.join_species(kind, capacity.features);
        let key = self.providers.insert(Provider {
            id,
            kind,
            group,
            slots_in_use: u32::from(capacity.slots),
            draining: false,
            cooled_until_ms: None,
            faults_in_row: 0,
            failures: 0,
            rest_reason: None,
            tasks_done: 0,
            speed: reported_speed(&capacity),
            capacity,
            round_trip_us: None,
            in_flight: InFlight::default(),
            memory: MemoryUse::default(),
            backlog_us: 0,
            modules: Vec::new(),
            species,
            shelved: None,
        });
        self.by_id.insert(id, key);
        Some(key)
    }

    /// Takes a provider out, with what it has in flight.
    pub(super) fn remove(&mut self, key: u32) -> Provider {
        self.unshelve(key);
        let provider = self.providers.remove(key);
        self.by_id.remove(&provider.id);
        self.slots -= u64::from(provider.capacity.slots);
        self.in_flight -= u64::from(provider.in_flight.len());
        self.leave_species(provider.species);
        provider
    }

    /// Notes what a provider offers from now on.
    pub(super) fn change_capacity(&mut self, key: u32, capacity: Capacity) {
        let provider = &mut self.providers[key];
        self.slots = self.slots - u64::from(provider.capacity.slots) + u64::from(capacity.slots);
        if provider.capacity.speed != capacity.speed {
            // What was seen refined the old report: a new one starts afresh.
            provider.speed = reported_speed(&capacity);
        }
        let (kind, old, features) = (provider.kind, provider.species, capacity.features);
        if capacity.slots > 0 {
            provider.slots_in_use = u32::from(capacity.slots);
        }
        provider.capacity = capacity;
        self.unshelve(key);
        let species = self.join_species(kind, features);
        self.leave_species(old);
        self.providers[key].species = species;
    }

    /// What the task of an attempt that is live remembers.
    pub(super) fn trail_of(&mut self, key: u32, attempt: u64) -> &mut Option<Box<Trail>> {
        let attempt = self.providers[key].in_flight.get_mut(attempt);
        &mut attempt.expect("the attempt is live there").trail
    }

    pub(super) fn start(&mut self, key: u32, attempt: Attempt, memory_bytes: u64, module: u32) {
        self.in_flight += 1;
        self.providers[key].start(attempt, memory_bytes, module);
        self.shelve(key);
    }

    /// Learns from a result how fast the provider is and what a task is like.
    pub(super) fn learn(&mut self, key: u32, run_us: u64, mean_us: Option<f64>) -> f64 {
        let sample_us = self.providers[key].learn(run_us, mean_us);
        self.typical_us += (sample_us - self.typical_us) / 64.0;
        sample_us
    }
}
