//! The core alone: what an event costs with few providers and with many, while
//! a million tasks wait, and what a waiting task costs in memory.
//!
//! Built as an example, not as a benchmark of Cargo's, so that it is the code of
//! the release program: Cargo builds benchmarks with another panic strategy.
//!
//! Prints a table; ends with an error where a limit does not hold.

#![expect(clippy::print_stdout, reason = "a table for people")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasipool_broker::core::{Config, Core, Effect, Event, Group, JobSpec, Requires, Verdict};
use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId};

/// Tasks that wait.
const TASKS: u32 = 1_000_000;
/// Sizes of the pool.
const POOLS: [u32; 3] = [10, 1_000, 100_000];
const SLOTS: u16 = 2;
/// Attempts that end while it is measured.
const ENDS: u32 = 500_000;
/// The best of so many runs counts: others ran on a busier machine.
const RUNS: u32 = 3;
/// Memory of a waiting task of a `count` job, in bytes.
const TASK_BYTES_MAX: f64 = 300.0;
/// How much more an event may cost in the largest pool than in the smallest.
const GROWTH_MAX: f64 = 2.0;

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "only an allocator sees what is asked of it")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps the same promises to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn spec(tasks: u32) -> JobSpec {
    JobSpec {
        tasks,
        priority: 0,
        owner: 0,
        retries: 3,
        quorum: 1,
        module: Digest([7; 32]),
        memory_bytes: 64 << 20,
        requires: Requires::default(),
        placement_timeout_ms: 600_000,
        resumed: None,
    }
}

/// A core, with what its providers would do: everything ends in the order in
/// which it was sent.
struct Bench {
    core: Core,
    effects: Vec<Effect>,
    running: VecDeque<(ProviderId, AttemptId)>,
    now_ms: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            core: Core::new(Config::default()),
            effects: Vec::new(),
            running: VecDeque::new(),
            now_ms: 0,
        }
    }

    fn event(&mut self, event: Event) {
        self.core.handle(self.now_ms, event, &mut self.effects);
        for effect in self.effects.drain(..) {
            if let Effect::Assign {
                provider, attempt, ..
            } = effect
            {
                self.running.push_back((provider, attempt));
            }
        }
    }

    fn join(&mut self, number: u32) {
        let provider = ProviderId(u128::from(number) << 64 | u128::from(number.reverse_bits()));
        let kind = if number.is_multiple_of(3) {
            ProviderKind::Browser
        } else {
            ProviderKind::Native
        };
        let capacity = Capacity {
            slots: SLOTS,
            memory_bytes: 4 << 30,
            features: Features(0xff),
            speed: 800 + number % 400,
        };
        self.event(Event::Join {
            provider,
            kind,
            capacity,
            group: Group::of_address(u64::from(number)),
        });
        self.event(Event::RoundTrip {
            provider,
            micros: 200 + number % 20_000,
        });
    }

    fn end_one(&mut self) {
        let (provider, attempt) = self.running.pop_front().expect("something runs");
        self.event(Event::Ended {
            provider,
            attempt,
            verdict: Verdict::Final {
                succeeded: true,
                fingerprint: None,
            },
            run_us: 40_000 + attempt.0 % 20_000,
        });
    }
}

/// What one pool costs.
struct Cost {
    join: Duration,
    submit: Duration,
    end: Duration,
    task_bytes: f64,
    provider_bytes: f64,
}

fn per(began: Instant, times: u32) -> Duration {
    began.elapsed() / times
}

fn allocated_by<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let made = work();
    let after = ALLOCATED.load(Ordering::Relaxed);
    (made, after.saturating_sub(before))
}

fn measure(providers: u32) -> Cost {
    let mut bench = Bench::new();
    // Without anybody who could run it, all of a job waits.
    let (job, spec) = (JobId(1), spec(TASKS));
    let ((), waiting) = allocated_by(|| bench.event(Event::Submit { job, spec }));
    let began = Instant::now();
    let ((), joined) = allocated_by(|| (0..providers).for_each(|number| bench.join(number)));
    let join = per(began, 2 * providers);
    let began = Instant::now();
    for _ in 0..ENDS {
        bench.now_ms += 1;
        bench.end_one();
    }
    let end = per(began, ENDS);
    let began = Instant::now();
    for number in 0..10_000 {
        bench.event(Event::Submit {
            job: JobId(2 + number),
            spec: self::spec(1),
        });
    }
    Cost {
        join,
        submit: per(began, 10_000),
        end,
        task_bytes: waiting as f64 / f64::from(TASKS),
        provider_bytes: joined as f64 / f64::from(providers),
    }
}

fn main() -> ExitCode {
    println!("the core alone, {TASKS} tasks wait, {SLOTS} slots a provider");
    println!(
        "providers   ended+next      join    submit   bytes a waiting task   bytes a provider"
    );
    let mut costs = Vec::new();
    for providers in POOLS {
        let runs = (0..RUNS).map(|_| measure(providers));
        let best = runs.min_by_key(|cost| cost.end).expect("it ran");
        println!(
            "{providers:>9}  {:>8} ns  {:>5} ns  {:>5} ns   {:>20.3}   {:>16.0}",
            best.end.as_nanos(),
            best.join.as_nanos(),
            best.submit.as_nanos(),
            best.task_bytes,
            best.provider_bytes
        );
        costs.push(best);
    }
    let growth = costs[costs.len() - 1].end.as_secs_f64() / costs[0].end.as_secs_f64();
    let memory = costs.iter().map(|cost| cost.task_bytes).fold(0.0, f64::max);
    println!("time of an event grows by {growth:.2} (limit {GROWTH_MAX})");
    println!("memory of a waiting task: {memory:.3} bytes (limit {TASK_BYTES_MAX})");
    if growth < GROWTH_MAX && memory < TASK_BYTES_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
