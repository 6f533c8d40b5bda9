//! Tests of the core as a whole: rules one by one, shares in virtual time, and
//! a simulation of everything at once.

mod cluster;
mod faults;
mod hedging;
mod jobs;
mod model;
mod placement;
mod quorum;
mod shares;
mod simulation;
mod trust;

use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};

use super::{
    Config, Core, Counts, Effect, End, Event, Group, JobSpec, Requires, Resumed, Standing, Trust,
    Verdict,
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn spec(tasks: u32) -> JobSpec {
    JobSpec {
        tasks,
        priority: 0,
        owner: 0,
        retries: 3,
        quorum: 1,
        module: Digest([7; 32]),
        memory_bytes: 256 * MIB,
        requires: Requires::default(),
        placement_timeout_ms: 600_000,
        resumed: None,
    }
}

fn capacity(slots: u16) -> Capacity {
    Capacity {
        slots,
        memory_bytes: 64 * GIB,
        features: Features(0xff),
        speed: 1_000,
    }
}

fn final_result(value: u8) -> Verdict {
    Verdict::Final {
        succeeded: true,
        fingerprint: Some(Digest([value; 32])),
    }
}

fn fault() -> Verdict {
    Verdict::Fault {
        reason: "it broke".into(),
    }
}

/// A core with short words for what tests do to it.
struct Bench {
    core: Core,
    now_ms: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            core: Core::new(Config::default()),
            now_ms: 0,
        }
    }

    /// One task at most is at a slot: nothing is sent ahead. Nor does any job
    /// age.
    fn without_prefetch() -> Self {
        let core = Core::new(Config {
            prefetch_max: 0,
            ageing_ms: u64::MAX,
            ..Config::default()
        });
        Self { core, now_ms: 0 }
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.core.handle(self.now_ms, event, &mut effects);
        effects
    }

    fn submit(&mut self, job: u128, spec: JobSpec) -> Vec<Effect> {
        self.event(Event::Submit {
            job: JobId(job),
            spec,
        })
    }

    fn join(&mut self, provider: u128, capacity: Capacity) -> Vec<Effect> {
        let group = Group::of_address(provider as u64);
        let provider = ProviderId(provider);
        self.event(Event::Join {
            provider,
            kind: ProviderKind::Native,
            capacity,
            group,
        })
    }

    fn ended(&mut self, attempt: (u128, u64), verdict: Verdict, run_us: u64) -> Vec<Effect> {
        let (provider, attempt) = (ProviderId(attempt.0), AttemptId(attempt.1));
        self.event(Event::Ended {
            provider,
            attempt,
            verdict,
            run_us,
        })
    }

    fn tick(&mut self, by_ms: u64) -> Vec<Effect> {
        self.now_ms += by_ms;
        self.event(Event::Tick)
    }

    fn counts(&self, job: u128) -> Counts {
        self.core.counts(JobId(job)).expect("the job has not ended")
    }
}

/// What was assigned: provider, attempt, index.
fn assigned(effects: &[Effect]) -> Vec<(u128, u64, u32)> {
    let pick = |effect: &Effect| match effect {
        Effect::Assign {
            provider,
            attempt,
            task,
        } => Some((provider.0, attempt.0, task.index)),
        _ => None,
    };
    effects.iter().filter_map(pick).collect()
}

/// Who got something, in order.
fn providers(effects: &[Effect]) -> Vec<u128> {
    assigned(effects)
        .into_iter()
        .map(|(provider, _, _)| provider)
        .collect()
}

/// How tasks ended: index and end.
fn ends(effects: &[Effect]) -> Vec<(u32, End)> {
    let pick = |effect: &Effect| match effect {
        Effect::TaskEnded {
            task: TaskId { index, .. },
            end,
            ..
        } => Some((*index, end.clone())),
        _ => None,
    };
    effects.iter().filter_map(pick).collect()
}

/// Why tasks were refused, lost or disputed.
fn reasons(effects: &[Effect]) -> Vec<String> {
    let pick = |(_, end)| match end {
        End::Lost { reason } | End::Rejected { reason } | End::Disputed { reason } => {
            Some(reason.to_string())
        }
        End::Final { .. } | End::Cancelled => None,
    };
    ends(effects).into_iter().filter_map(pick).collect()
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}
