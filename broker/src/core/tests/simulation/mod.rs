//! Everything at once, from seeds: jobs, providers, faults, lies, late and
//! repeated outcomes, deaths of providers and of the broker, in any order, with
//! the model's checks after each step.
//!
//! A seed that breaks a rule is printed with the command that replays it and
//! with the shortest schedule that was found to break it. Seeds that once did
//! are in `seeds.txt`, and run each time.

mod schedule;
mod shrink;
mod tampered;
mod world;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::model::Tamper;
use schedule::Schedule;
use shrink::Broken;

/// Seeds that once found a mistake, one a line; `#` begins a comment.
const OLD_SEEDS: &str = include_str!("seeds.txt");
/// Seeds of each run of the tests.
const SEEDS: u64 = 10_000;
/// Steps of the long run, where nothing else is said.
const MANY_STEPS: u64 = 1_000_000;

/// The effects as they are.
const HONEST: Tamper = |_| {};

fn check(seed: u64, tamper: Tamper) -> Result<u64, Broken> {
    let schedule = Schedule::of(seed);
    match shrink::broken(&schedule, tamper) {
        None => Ok(schedule.steps.len() as u64),
        Some(said) => Err(shrink::shrink(schedule, said, tamper)),
    }
}

/// Checks seeds from `first` on, on all cores, while `go_on` says so; returns
/// how many seeds and steps that were.
fn check_all(first: u64, go_on: impl Fn(u64, u64) -> bool + Sync) -> (u64, u64) {
    let (seeds, steps) = (AtomicU64::new(0), AtomicU64::new(0));
    let found = Mutex::new(None);
    let work = || {
        while found.lock().is_ok_and(|found| found.is_none()) {
            let number = seeds.fetch_add(1, Ordering::Relaxed);
            if !go_on(number, steps.load(Ordering::Relaxed)) {
                seeds.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            match check(first + number, HONEST) {
                Ok(done) => drop(steps.fetch_add(done, Ordering::Relaxed)),
                Err(broken) => {
                    *found.lock().expect("nobody panics with it") = Some((first + number, broken));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some((seed, broken)) = found.into_inner().expect("nobody panics with it") {
        panic!("{}", told(seed, &broken));
    }
    (seeds.into_inner(), steps.into_inner())
}

fn told(seed: u64, broken: &Broken) -> String {
    format!(
        "the simulation broke a rule with seed {seed}; to see it again:\n  \
         WASIPOOL_SIMULATION_SEED={seed} cargo test --workspace --lib \
         core::tests::simulation::replay -- --ignored\n{broken}"
    )
}

/// A number from the environment, for those who run a test by hand.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

#[test]
fn seeds_that_once_found_a_mistake_find_none() {
    let lines = OLD_SEEDS
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    for line in lines.filter(|line| !line.is_empty()) {
        let seed = line.parse().unwrap_or_else(|_| panic!("{line} is no seed"));
        if let Err(broken) = check(seed, HONEST) {
            panic!("{}", told(seed, &broken));
        }
    }
}

#[test]
fn random_worlds_keep_the_rules() {
    check_all(0, |seeds, _| seeds < SEEDS);
}

#[test]
#[ignore = "runs the seed in WASIPOOL_SIMULATION_SEED"]
fn replay() {
    let seed = number("WASIPOOL_SIMULATION_SEED").expect("WASIPOOL_SIMULATION_SEED is set");
    if let Err(broken) = check(seed, HONEST) {
        panic!("{}", told(seed, &broken));
    }
}

#[test]
#[ignore = "as long as WASIPOOL_SIMULATION_STEPS says, by default a million steps"]
fn long_run() {
    let wanted = number("WASIPOOL_SIMULATION_STEPS").unwrap_or(MANY_STEPS);
    let first = number("WASIPOOL_SIMULATION_FROM").unwrap_or(SEEDS);
    let (seeds, steps) = check_all(first, |_, steps| steps < wanted);
    let line =
        format!("{steps} steps of {seeds} worlds, from seed {first} on: no rule was broken\n");
    std::io::stdout()
        .write_all(line.as_bytes())
        .expect("stdout is open");
}
