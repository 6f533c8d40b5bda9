//! The world of a guest: the machine's clocks and randomness, or those of a
//! seed; and sleep that a time limit or an order to stop can end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasipool_wasi::{Seeded, World};

use super::stop::Stop;

/// What a guest sees of time and chance.
#[derive(Debug)]
pub(super) struct GuestWorld {
    kind: Kind,
    /// When the guest's time is over; never, if that is too far away to be told.
    deadline: Option<Instant>,
    stop: Arc<Stop>,
    /// Whether it has waited since somebody asked.
    waited: bool,
    /// What went wrong on the provider's side.
    fault: Option<String>,
}

#[derive(Debug)]
enum Kind {
    /// The machine's; the monotonic clock starts at 0.
    Real { started: Instant },
    /// A deterministic job's.
    Seeded(Seeded),
}

impl GuestWorld {
    pub(super) fn new(seeded: Option<Seeded>, deadline: Option<Instant>, stop: Arc<Stop>) -> Self {
        let kind = seeded.map_or_else(
            || Kind::Real {
                started: Instant::now(),
            },
            Kind::Seeded,
        );
        Self {
            kind,
            deadline,
            stop,
            waited: false,
            fault: None,
        }
    }

    /// Whether the guest has waited since this was called last: then its time
    /// may be over.
    pub(super) fn has_waited(&mut self) -> bool {
        std::mem::take(&mut self.waited)
    }

    /// Whether the guest was ordered to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    /// Whether the guest's time is over.
    pub(super) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether something went wrong on the provider's side.
    pub(super) fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// Notes that something did.
    pub(super) fn fail(&mut self, reason: String) {
        self.fault = Some(reason);
    }

    /// What it was.
    pub(super) fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }
}

impl World for GuestWorld {
    fn monotonic_ns(&mut self) -> u64 {
        match &mut self.kind {
            Kind::Real { started } => nanos(started.elapsed()),
            Kind::Seeded(world) => world.monotonic_ns(),
        }
    }

    fn wall_ns(&mut self) -> u64 {
        match &mut self.kind {
            Kind::Real { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                nanos(since.unwrap_or_default())
            }
            Kind::Seeded(world) => world.wall_ns(),
        }
    }

    fn both_ns(&mut self) -> (u64, u64) {
        match &mut self.kind {
            Kind::Real { .. } => (self.monotonic_ns(), self.wall_ns()),
            Kind::Seeded(world) => world.both_ns(),
        }
    }

    fn random(&mut self, into: &mut [u8]) {
        match &mut self.kind {
            Kind::Real { .. } => {
                if let Err(error) = getrandom::fill(into) {
                    // The guest doesn't go on with it: see `Guest::answer`.
                    self.fail(format!("the machine gives no random bytes: {error}"));
                    self.waited = true;
                }
            }
            Kind::Seeded(world) => world.random(into),
        }
    }

    fn sleep_until(&mut self, monotonic_ns: u64) {
        match &mut self.kind {
            Kind::Real { started } => {
                self.waited = true;
                let awake = started.checked_add(Duration::from_nanos(monotonic_ns));
                let until = [awake, self.deadline].into_iter().flatten().min();
                self.stop.wait_until(until);
            }
            Kind::Seeded(world) => world.sleep_until(monotonic_ns),
        }
    }

    fn file_ns(&mut self) -> u64 {
        match &mut self.kind {
            Kind::Real { .. } => self.wall_ns(),
            Kind::Seeded(world) => world.file_ns(),
        }
    }

    fn resolution_ns(&mut self) -> u64 {
        match &mut self.kind {
            Kind::Real { .. } => 1,
            Kind::Seeded(world) => world.resolution_ns(),
        }
    }
}

/// Nanoseconds, as WASI counts them.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_when_it_should() {
        let stop = Arc::new(Stop::default());
        let mut world = GuestWorld::new(None, None, Arc::clone(&stop));
        let until = world.monotonic_ns() + 2_000_000;
        assert!(!world.has_waited());
        world.sleep_until(until);
        assert!(world.has_waited() && !world.has_waited());
        assert!(world.monotonic_ns() >= until);

        let late = Instant::now() + Duration::from_millis(2);
        let mut world = GuestWorld::new(None, Some(late), Arc::clone(&stop));
        world.sleep_until(u64::MAX);
        assert!(world.is_late());
        stop.stop();
        let mut world = GuestWorld::new(None, None, stop);
        world.sleep_until(u64::MAX);
        assert!(world.is_stopped() && !world.is_late());
    }
}
