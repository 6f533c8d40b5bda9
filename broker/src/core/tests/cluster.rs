//! Providers that run tasks in virtual time, for tests of who gets how much.

use std::collections::{BTreeMap, VecDeque};

use super::*;

struct Machine {
    slots: usize,
    /// Run time is multiplied by this.
    slowness: f64,
    latency_us: u64,
    waiting: VecDeque<(AttemptId, TaskId)>,
    running: usize,
}

/// A core and its providers.
pub(super) struct Cluster {
    pub(super) core: Core,
    pub(super) now_us: u64,
    machines: BTreeMap<ProviderId, Machine>,
    /// What happens when: (time, order) → event.
    agenda: BTreeMap<(u64, u64), (Event, bool)>,
    order: u64,
    /// Run time of a job's tasks.
    pub(super) run_us: BTreeMap<JobId, u64>,
    /// Tasks done, by job and provider.
    pub(super) done: BTreeMap<(JobId, ProviderId), u32>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self {
            core: Core::new(Config::default()),
            now_us: 0,
            machines: BTreeMap::new(),
            agenda: BTreeMap::new(),
            order: 0,
            run_us: BTreeMap::new(),
            done: BTreeMap::new(),
        }
    }

    pub(super) fn join(&mut self, provider: u128, slots: u16, slowness: f64, latency_us: u64) {
        let id = ProviderId(provider);
        let machine = Machine {
            slots: slots.into(),
            slowness,
            latency_us,
            waiting: VecDeque::new(),
            running: 0,
        };
        self.machines.insert(id, machine);
        let speed = (1_000.0 / slowness) as u32;
        let capacity = Capacity {
            speed,
            ..capacity(slots)
        };
        let group = Group::of_address(provider as u64);
        self.event(Event::Join {
            provider: id,
            kind: ProviderKind::Native,
            capacity,
            group,
        });
        self.event(Event::RoundTrip {
            provider: id,
            micros: 2 * latency_us as u32,
        });
    }

    pub(super) fn submit(&mut self, job: u128, spec: JobSpec, run_us: u64) {
        self.run_us.insert(JobId(job), run_us);
        self.event(Event::Submit {
            job: JobId(job),
            spec,
        });
    }

    fn event(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.core.handle(self.now_us / 1_000, event, &mut effects);
        for effect in effects {
            if let Effect::Assign {
                provider,
                attempt,
                task,
            } = effect
            {
                let machine = self.machines.get_mut(&provider).expect("it joined");
                machine.waiting.push_back((attempt, task));
                self.start(provider, true);
            }
        }
    }

    /// Starts what waits; `sent` is whether the assignment travels first.
    fn start(&mut self, provider: ProviderId, sent: bool) {
        let machine = self.machines.get_mut(&provider).expect("it joined");
        while machine.running < machine.slots {
            let Some((attempt, task)) = machine.waiting.pop_front() else {
                return;
            };
            machine.running += 1;
            let run_us = (self.run_us[&task.job] as f64 * machine.slowness) as u64;
            let begins_us = self.now_us + if sent { machine.latency_us } else { 0 };
            *self.done.entry((task.job, provider)).or_default() += 1;
            let event = Event::Ended {
                provider,
                attempt,
                verdict: final_result(0),
                run_us,
            };
            // The slot is free at once, the broker hears of it later.
            for (at_us, is_outcome) in [
                (begins_us + run_us, false),
                (begins_us + run_us + machine.latency_us, true),
            ] {
                self.order += 1;
                self.agenda
                    .insert((at_us, self.order), (event.clone(), is_outcome));
            }
        }
    }

    /// Lets time pass until nothing runs any more, or until `end_us`.
    pub(super) fn run(&mut self, end_us: u64) {
        while let Some(next) = self.agenda.first_entry() {
            let at_us = next.key().0;
            if at_us > end_us {
                self.now_us = end_us;
                return;
            }
            self.now_us = at_us;
            let (event, is_outcome) = next.remove();
            match event {
                Event::Ended { provider, .. } if !is_outcome => {
                    self.machines.get_mut(&provider).expect("it joined").running -= 1;
                    self.start(provider, false);
                }
                event => self.event(event),
            }
        }
    }

    pub(super) fn done_by(&self, provider: u128) -> u32 {
        let of =
            |((_, by), done): (&(JobId, ProviderId), &u32)| (by.0 == provider).then_some(*done);
        self.done.iter().filter_map(of).sum()
    }

    pub(super) fn done_of(&self, job: u128) -> u32 {
        let of = |((of, _), done): (&(JobId, ProviderId), &u32)| (of.0 == job).then_some(*done);
        self.done.iter().filter_map(of).sum()
    }
}
