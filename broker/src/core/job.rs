//! A job that has not ended, and what is known of its run times.

use std::collections::BTreeMap;

use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{JobId, TaskId};

use super::event::{Config, Counts, JobSpec, Trust};
use super::fair;
use super::hedge::Hedges;
use super::queue::TaskQueue;
use super::quorum::Replicas;

/// Tasks of an unmeasured job that may be in flight on the word of earlier jobs
/// with its module. The same module may run for much longer with other
/// arguments, so more than these wait for the job's own first result.
const TRUSTED_MAX: u32 = 4;
/// Modules that are remembered.
const MODULES_MAX: usize = 4_096;

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) retries: u32,
    pub(super) memory_bytes: u64,
    pub(super) placement_timeout_ms: u64,
    pub(super) submitted_ms: u64,
    /// Key of its class.
    pub(super) class: u32,
    /// Key of its owner.
    pub(super) owner: u32,
    /// Number and digest of its module.
    pub(super) module: u32,
    digest: Digest,
    pub(super) weight: u64,
    /// Its tag in fair queueing.
    pub(super) tag: u64,
    /// Its age: older jobs go first between equal tags.
    pub(super) age: u64,
    /// Whether it is in its class's backlog.
    pub(super) waiting: bool,
    /// The pass in which nobody with room could take a task of it.
    pub(super) stuck_in_pass: u64,
    pub(super) queue: TaskQueue,
    /// Tasks in flight, where they may need more than one result.
    pub(super) replicas: Option<Box<Replicas>>,
    /// Tasks with a second attempt, if any.
    pub(super) hedges: Option<Box<Hedges>>,
    /// When its stragglers are looked at, near its end.
    pub(super) hedging_ms: Option<u64>,
    /// Only the numbers of ended tasks are kept here.
    pub(super) ended: Counts,
    /// Tasks with a live attempt.
    pub(super) running: u32,
    /// When it last started a task, or began to wait.
    pub(super) started_ms: u64,
    /// Periods that it has waited since then.
    pub(super) ages: u32,
    /// The end of the period that runs, if one does.
    pub(super) ageing_ms: Option<u64>,
    /// Deadline of its queued tasks while nobody is able.
    pub(super) placement_ms: Option<u64>,
    /// Key of the provider that got a task last.
    pub(super) last_provider: u32,
    /// Mean run time in microseconds at a speed of 1,000.
    work_us: Option<f64>,
    /// Whether that comes from its own tasks.
    measured: bool,
}

/// Where a new job belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) class: u32,
    pub(super) owner: u32,
    /// How many jobs came before it.
    pub(super) age: u64,
}

impl Job {
    pub(super) fn new(
        now_ms: u64,
        id: JobId,
        spec: &JobSpec,
        config: &Config,
        keys: Keys,
        modules: &mut Modules,
    ) -> Self {
        let (module, work_us) = modules.look_up(spec.module);
        let quorum = spec.quorum.max(1);
        let (queue, ended) = match &spec.resumed {
            Some(resumed) => (TaskQueue::new(resumed.open.iter().cloned()), resumed.ended),
            None => (
                TaskQueue::new(std::iter::once(0..spec.tasks)),
                Counts::default(),
            ),
        };
        Self {
            id,
            retries: spec.retries,
            memory_bytes: spec.memory_bytes,
            placement_timeout_ms: spec.placement_timeout_ms,
            submitted_ms: now_ms,
            class: keys.class,
            owner: keys.owner,
            module,
            digest: spec.module,
            weight: fair::weight(spec.priority),
            tag: 0,
            age: keys.age,
            waiting: false,
            stuck_in_pass: 0,
            queue,
            replicas: (quorum > 1 || config.trust == Trust::Adaptive)
                .then(|| Box::new(Replicas::new(quorum, config.quorum_extra))),
            hedges: None,
            hedging_ms: None,
            ended: Counts {
                tasks: spec.tasks,
                queued: 0,
                running: 0,
                ..ended
            },
            running: 0,
            started_ms: now_ms,
            ages: 0,
            ageing_ms: None,
            placement_ms: None,
            last_provider: 0,
            work_us,
            measured: false,
        }
    }

    pub(super) fn task(&self, index: u32) -> TaskId {
        TaskId {
            job: self.id,
            index,
        }
    }

    pub(super) fn turn(&self, key: u32) -> (u64, u64, u32) {
        (self.tag, self.age, key)
    }

    /// Tasks without a live attempt that have not ended.
    pub(super) fn queued(&self) -> u32 {
        self.ended.tasks - self.ended.ended() - self.running
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            queued: self.queued(),
            running: self.running,
            ..self.ended
        }
    }

    /// Whether an attempt could be started had someone room.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty()
            || self
                .replicas
                .as_ref()
                .is_some_and(|replicas| replicas.has_needy())
    }

    /// When it is one step older, unless it starts a task before.
    pub(super) fn older_ms(&self, config: &Config) -> u64 {
        let waited_ms = config.ageing_ms.saturating_mul(u64::from(self.ages) + 1);
        self.started_ms.saturating_add(waited_ms)
    }

    /// What a task is taken to cost where providers don't matter.
    pub(super) fn cost_us(&self, config: &Config) -> f64 {
        self.work_us.unwrap_or(config.unknown_run_us as f64)
    }

    /// How long the next task would run at a provider of that speed.
    pub(super) fn expected_us(&self, speed: f64, config: &Config) -> u32 {
        // Where it may run for longer than elsewhere, still less is sent ahead.
        let unknown_us = config.unknown_run_us as f64 * (1_000.0 / speed).max(1.0);
        let expected_us = match self.work_us {
            Some(work_us) if self.measured || self.running < TRUSTED_MAX => {
                work_us * 1_000.0 / speed
            }
            Some(work_us) => (work_us * 1_000.0 / speed).max(unknown_us),
            None => unknown_us,
        };
        expected_us as u32
    }

    /// Mean run time at a speed of 1,000, once a task of its own ended.
    pub(super) fn measured_us(&self) -> Option<f64> {
        self.work_us.filter(|_| self.measured)
    }

    /// Learns from a result; the first one returns what to change the tag by
    /// because its tasks were charged a guess until now.
    pub(super) fn learn(&mut self, sample_us: f64, config: &Config) -> f64 {
        if let (true, Some(mean_us)) = (self.measured, &mut self.work_us) {
            *mean_us += (sample_us - *mean_us) / 8.0;
            return 0.0;
        }
        let guess_us = self.cost_us(config);
        self.work_us = Some(sample_us);
        self.measured = true;
        (sample_us - guess_us) * f64::from(self.running + 1)
    }

    /// Leaves what it learned to later jobs with its module.
    pub(super) fn teach(&self, modules: &mut Modules) {
        if let Some(measured_us) = self.measured_us() {
            modules.learn(self.digest, measured_us);
        }
    }
}

/// What is remembered of modules from job to job.
#[derive(Debug, Default)]
pub(super) struct Modules {
    known: BTreeMap<Digest, Module>,
    next: u32,
}

#[derive(Debug)]
struct Module {
    /// Never used again for another one.
    number: u32,
    work_us: Option<f64>,
}

impl Modules {
    /// The module's number and the mean run time of earlier jobs.
    fn look_up(&mut self, digest: Digest) -> (u32, Option<f64>) {
        if let Some(module) = self.known.get(&digest) {
            return (module.number, module.work_us);
        }
        if self.known.len() >= MODULES_MAX {
            // The older half, by number: rare, so that it may cost something.
            let keep_from = self.next.saturating_sub(MODULES_MAX as u32 / 2);
            self.known.retain(|_, module| module.number >= keep_from);
        }
        let number = self.next;
        self.next += 1;
        self.known.insert(
            digest,
            Module {
                number,
                work_us: None,
            },
        );
        (number, None)
    }

    fn learn(&mut self, digest: Digest, sample_us: f64) {
        if let Some(module) = self.known.get_mut(&digest) {
            let mean_us = module.work_us.unwrap_or(sample_us);
            module.work_us = Some(mean_us + (sample_us - mean_us) / 4.0);
        }
    }
}
