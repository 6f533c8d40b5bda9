//! What goes into the core and what comes out of it.

use std::ops::Range;
use std::sync::Arc;

use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};

use super::group::Group;
use super::trust::Standing;

/// Whose results are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Everybody's: all who may join are known.
    #[default]
    All,
    /// Those of parties whose results others have confirmed often enough; all
    /// others' are checked by a second one.
    Adaptive,
}

/// The rules that an operator may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The most tasks that wait at one provider beyond its slots.
    pub prefetch_max: u32,
    /// Work that may wait at a provider, per slot and beyond one round trip, in
    /// microseconds. Tasks that run longer than this are not sent ahead.
    pub prefetch_us: u64,
    /// What a task is taken to run for while nothing is known of its job, in
    /// microseconds. Half of `prefetch_us` sends one task a slot ahead.
    pub unknown_run_us: u64,
    /// Time after which a job that waits counts as one step older, in
    /// milliseconds: each step halves what is left of its wait, the tenth puts
    /// it before all others of its owner. `u64::MAX` is never.
    pub ageing_ms: u64,
    /// An attempt is a straggler if it takes so many times as long as expected,
    /// and `straggler_ms` more; near a job's end it gets a second attempt
    /// elsewhere. 0 is never.
    pub straggler_factor: u32,
    /// See `straggler_factor`; in milliseconds.
    pub straggler_ms: u64,
    /// Results beyond the quorum that a task may get before it is disputed.
    pub quorum_extra: u32,
    /// Whose results are believed where a job asks for no quorum.
    pub trust: Trust,
    /// Confirmed results in a row after which a party is trusted.
    pub trusted_after: u32,
    /// Of so many tasks that a party which is not trusted gets, one is a task
    /// whose result is known already; 0 is none.
    pub spot_checks: u32,
    /// What chance comes from: whose result is checked this time.
    pub seed: u64,
    /// Faults in a row after which a provider is cooled down.
    pub cooldown_faults: u32,
    /// The first cool-down, in milliseconds; each further fault doubles it.
    pub cooldown_ms: u64,
    /// The longest cool-down, in milliseconds.
    pub cooldown_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            prefetch_max: 512,
            prefetch_us: 100_000,
            unknown_run_us: 50_000,
            ageing_ms: 30_000,
            straggler_factor: 3,
            straggler_ms: 1_000,
            quorum_extra: 2,
            trust: Trust::All,
            trusted_after: 10,
            spot_checks: 0,
            seed: 0,
            cooldown_faults: 5,
            cooldown_ms: 1_000,
            cooldown_ms_max: 60_000,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A job is to be run. A job of that name that is there already is left as
    /// it is.
    Submit {
        /// The job's name.
        job: JobId,
        /// What it consists of and needs.
        spec: JobSpec,
    },
    /// The user no longer wants the job.
    Cancel {
        /// The job's name.
        job: JobId,
    },
    /// A provider connected.
    Join {
        /// The session's name, never used before.
        provider: ProviderId,
        /// Where it runs.
        kind: ProviderKind,
        /// What it offers.
        capacity: Capacity,
        /// Whose it is: a quorum needs different groups.
        group: Group,
    },
    /// A provider offers something else than before.
    Capacity {
        /// The provider.
        provider: ProviderId,
        /// What it offers now.
        capacity: Capacity,
    },
    /// A round trip to a provider was measured.
    RoundTrip {
        /// The provider.
        provider: ProviderId,
        /// The smoothed round trip, in microseconds.
        micros: u32,
    },
    /// A provider finishes what it has and gets nothing new.
    Drain {
        /// The provider.
        provider: ProviderId,
    },
    /// A provider is gone, whatever the cause: its leases end at once.
    Leave {
        /// The provider.
        provider: ProviderId,
    },
    /// An attempt ended.
    Ended {
        /// The provider that says so.
        provider: ProviderId,
        /// The attempt.
        attempt: AttemptId,
        /// How it ended.
        verdict: Verdict,
        /// Time that the guest ran, in microseconds.
        run_us: u64,
    },
    /// The time of [`next_deadline_ms`](super::Core::next_deadline_ms) came.
    Tick,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The guest ended, well or not: the task has its outcome.
    Final {
        /// Whether the task succeeded.
        succeeded: bool,
        /// Digest of the whole result, needed where the quorum is more than
        /// one or trust is adaptive; without it the result agrees with no other.
        fingerprint: Option<Digest>,
    },
    /// The provider gives the task back without having run it: nobody's fault.
    Returned,
    /// What the provider did wrong: the task is tried elsewhere.
    Fault {
        /// What went wrong.
        reason: String,
    },
}

/// What a job consists of and needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// Number of tasks.
    pub tasks: u32,
    /// −100 to 100; 25 more doubles the job's share.
    pub priority: i8,
    /// Whose job it is; 0 is nobody in particular.
    pub owner: u64,
    /// Attempts of a task that may be lost with their provider before the task
    /// is.
    pub retries: u32,
    /// Equal results from different groups that a task needs; 0 counts as 1.
    pub quorum: u32,
    /// The module: providers that had it before are preferred a little, and
    /// its earlier run times are a first estimate.
    pub module: Digest,
    /// Guest memory of one task.
    pub memory_bytes: u64,
    /// What a provider must be and have.
    pub requires: Requires,
    /// Time for which queued tasks wait while no connected provider can ever
    /// run them, in milliseconds.
    pub placement_timeout_ms: u64,
    /// Set for a job of which some tasks may have ended already, before the
    /// broker was started again.
    pub resumed: Option<Resumed>,
}

/// How far a job had come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resumed {
    /// Indexes of the tasks that haven't ended: ascending, apart from each
    /// other, none empty, none beyond the job's last task.
    pub open: Vec<Range<u32>>,
    /// How all others ended; the numbers of tasks that haven't are not looked
    /// at.
    pub ended: Counts,
}

/// What a provider must be and have for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requires {
    /// The kind, if it matters.
    pub kind: Option<ProviderKind>,
    /// Features of the engine.
    pub features: Features,
}

/// Something that the caller must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the task to the provider.
    Assign {
        /// Where to.
        provider: ProviderId,
        /// The fencing number, larger than every one before.
        attempt: AttemptId,
        /// What to run.
        task: TaskId,
    },
    /// Send the task, which has ended with a result that is known, to the
    /// provider, to see what it answers. Its outcome is an event as any other's.
    Check {
        /// Where to.
        provider: ProviderId,
        /// The fencing number, larger than every one before.
        attempt: AttemptId,
        /// What to run.
        task: TaskId,
    },
    /// Stop the attempt there; its outcome no longer matters.
    Revoke {
        /// Where it is.
        provider: ProviderId,
        /// Which one.
        attempt: AttemptId,
    },
    /// A task ended; comes exactly once for each task.
    TaskEnded {
        /// The task.
        task: TaskId,
        /// How it ended.
        end: End,
        /// Attempts that ran or may have run.
        attempts: u32,
    },
    /// A job ended; comes after the last of its tasks did, and the core has
    /// forgotten the job.
    JobEnded {
        /// The job.
        job: JobId,
        /// How its tasks ended.
        counts: Counts,
    },
    /// An outcome of an attempt that is not live at that provider: it changed
    /// nothing.
    Dropped {
        /// Who sent it.
        provider: ProviderId,
        /// The attempt that it named.
        attempt: AttemptId,
    },
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With the result of this attempt.
    Final {
        /// Who ran it.
        provider: ProviderId,
        /// Which attempt.
        attempt: AttemptId,
    },
    /// More attempts were lost with their providers than retries were allowed.
    Lost {
        /// What happened to them.
        reason: Arc<str>,
    },
    /// No provider can ever run it.
    Rejected {
        /// What is missing.
        reason: Arc<str>,
    },
    /// Providers gave different results and no quorum came about.
    Disputed {
        /// How far it got.
        reason: Arc<str>,
    },
    /// The user cancelled the job.
    Cancelled,
}

/// How many tasks of a job are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All of them.
    pub tasks: u32,
    /// Waiting.
    pub queued: u32,
    /// With at least one live attempt.
    pub running: u32,
    /// Ended with exit code 0.
    pub succeeded: u32,
    /// Ended with a result that is none (exit code, trap, limits).
    pub failed: u32,
    /// See [`End::Lost`].
    pub lost: u32,
    /// See [`End::Rejected`].
    pub rejected: u32,
    /// See [`End::Disputed`].
    pub disputed: u32,
    /// See [`End::Cancelled`].
    pub cancelled: u32,
}

impl Counts {
    /// Tasks that have ended, in whatever way.
    #[must_use]
    pub fn ended(&self) -> u32 {
        self.succeeded + self.failed + self.lost + self.rejected + self.disputed + self.cancelled
    }
}

/// A provider as the core sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderView {
    /// Its name.
    pub provider: ProviderId,
    /// Where it runs.
    pub kind: ProviderKind,
    /// What it offers.
    pub capacity: Capacity,
    /// Its account or address.
    pub group: Group,
    /// Slots in use.
    pub busy: u32,
    /// Tasks that wait there beyond its slots.
    pub queued: u32,
    /// Results that it gave.
    pub tasks_done: u64,
    /// Faults of its own.
    pub failures: u64,
    /// Speed of a slot: as reported at first, then as seen.
    pub speed: u32,
    /// The round trip in microseconds, once measured.
    pub round_trip_us: Option<u32>,
    /// Until when it gets nothing new because it failed too often.
    pub cooled_down_until_ms: Option<u64>,
    /// Why it failed, while it is cooled down.
    pub cooled_down_reason: Option<Arc<str>>,
    /// What is known of its account or address, where trust is adaptive.
    pub standing: Option<Standing>,
    /// Whether it gets nothing new because it is about to leave.
    pub draining: bool,
}

/// The whole in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Tasks that wait.
    pub queued: u64,
    /// Tasks with a live attempt.
    pub running: u64,
    /// Live attempts, those that wait at a provider included.
    pub attempts: u64,
    /// Jobs that have not ended.
    pub jobs: usize,
    /// Connected providers.
    pub providers: usize,
    /// Their slots.
    pub slots: u64,
}
