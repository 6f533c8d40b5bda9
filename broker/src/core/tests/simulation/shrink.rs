//! From a long schedule that breaks a rule to a short one that still does.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::super::model::Tamper;
use super::schedule::Schedule;
use super::world;

/// Schedules tried for a shorter one.
const TRIES_MAX: u32 = 5_000;

thread_local! {
    /// Whether a panic of this thread is only looked for.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a schedule breaks, if anything.
pub(super) fn broken(schedule: &Schedule, tamper: Tamper) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if LOOKING.get() {
                SAID.set(panic.to_string());
            } else {
                before(panic);
            }
        }));
    });
    LOOKING.set(true);
    let run = catch_unwind(AssertUnwindSafe(|| world::run(schedule, tamper)));
    LOOKING.set(false);
    run.err().map(|_| SAID.take())
}

/// A schedule that breaks a rule, as short as it was found.
pub(super) struct Broken {
    pub(super) schedule: Schedule,
    pub(super) said: String,
}

/// Leaves out what is not needed: halves, then quarters, down to single steps,
/// again until nothing more can go; then the time between them.
pub(super) fn shrink(schedule: Schedule, said: String, tamper: Tamper) -> Broken {
    let mut best = Broken { schedule, said };
    let mut tries = 0;
    let mut shorter = |best: &mut Broken, change: &dyn Fn(&mut Schedule)| {
        let mut schedule = best.schedule.clone();
        change(&mut schedule);
        tries += 1;
        let said = (tries <= TRIES_MAX).then(|| broken(&schedule, tamper));
        let Some(Some(said)) = said else {
            return false;
        };
        *best = Broken { schedule, said };
        true
    };
    let mut size = best.schedule.steps.len();
    while size > 0 {
        let mut from = 0;
        let mut any = false;
        while from < best.schedule.steps.len() {
            let to = (from + size).min(best.schedule.steps.len());
            let gone = shorter(&mut best, &|schedule| drop(schedule.steps.drain(from..to)));
            any |= gone;
            if !gone {
                from += size;
            }
        }
        if !any || size > 1 {
            size /= 2;
        }
    }
    for at in 0..best.schedule.steps.len() {
        shorter(&mut best, &|schedule| schedule.steps[at].after_ms = 0);
    }
    best
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.said)?;
        writeln!(
            f,
            "shortest schedule, prefetch_max {}, trust {:?}:",
            self.schedule.prefetch_max, self.schedule.trust
        )?;
        for step in &self.schedule.steps {
            writeln!(f, "  after {} ms: {:?}", step.after_ms, step.act)?;
        }
        Ok(())
    }
}
