//! Shares between jobs: fair queueing by virtual time.
//!
//! Each job has a tag: the service that it got, divided by its weight. The job
//! with the smallest tag goes next. Virtual time is what a job's tag would be
//! had every waiting job got exactly its share; a job that comes, or comes back
//! after a pause, starts there, so it neither waits for others to use up what
//! it never had nor makes up for time in which it wanted nothing.
//!
//! A job that waits ages: with each period without a start, what separates it
//! from virtual time is halved, as if its weight had doubled; in the end it goes
//! first. So the smallest weight waits for minutes, not for days.

/// How far a job's tag may stay behind virtual time: what a job could not use
/// because nobody able was there is not given to it later at others' cost.
const LAG_MAX: u64 = 10_000_000 * SCALE / WEIGHT_NORMAL;
/// The weight of priority 0.
pub(super) const WEIGHT_NORMAL: u64 = 16;
/// Periods of ageing after which a job goes before all others of its owner.
pub(super) const AGES_MAX: u32 = 10;
/// Where virtual time begins. Smaller tags go before all others; only age gives
/// them.
const BEGIN: u64 = 1 << 40;
/// Tag units of one microsecond at weight 1: the smallest cost at the largest
/// weight is still 1.
const SCALE: u64 = 256;

/// The weight of a priority: 25 more is twice as much.
pub(super) fn weight(priority: i8) -> u64 {
    let octaves = f64::from(priority.clamp(-100, 100)) / 25.0;
    (WEIGHT_NORMAL as f64 * octaves.exp2()).round() as u64
}

/// What one microsecond estimate costs a job of that weight.
pub(super) fn charge(cost_us: f64, weight: u64) -> u64 {
    ((cost_us * SCALE as f64) as u64 / weight.max(1)).max(1)
}

/// Virtual time.
#[derive(Debug)]
pub(super) struct VirtualTime {
    now: u64,
    /// The last tag given to one that goes before all others.
    aged: u64,
    /// Weights of all jobs with queued tasks.
    weights: u64,
}

impl Default for VirtualTime {
    fn default() -> Self {
        Self {
            now: BEGIN,
            aged: 0,
            weights: 0,
        }
    }
}

impl VirtualTime {
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// The tag of a job that has waited for so many periods. Those that go
    /// before all others do so in the order in which they came to that.
    pub(super) fn age(&mut self, tag: u64, periods: u32) -> u64 {
        if periods >= AGES_MAX {
            self.aged = (self.aged + 1).min(BEGIN - 1);
            return self.aged;
        }
        tag - tag.saturating_sub(self.now).div_ceil(2)
    }

    /// A job has queued tasks from now on; returns its new tag.
    pub(super) fn enter(&mut self, tag: u64, weight: u64) -> u64 {
        self.weights += weight;
        tag.max(self.now)
    }

    /// A job has no queued tasks any more.
    pub(super) fn exit(&mut self, weight: u64) {
        self.weights -= weight;
    }

    /// A waiting job starts a task; returns its new tag.
    pub(super) fn serve(&mut self, tag: u64, cost_us: f64, weight: u64) -> u64 {
        let tag = tag.max(self.now.saturating_sub(LAG_MAX));
        let fair = self.now.saturating_add(charge(cost_us, self.weights));
        self.now = fair.max(tag.saturating_sub(LAG_MAX));
        tag.saturating_add(charge(cost_us, weight))
    }

    /// A job's tag was charged a guess that was off by so much: virtual time
    /// went with it. Returns the new tag.
    pub(super) fn correct(&mut self, tag: u64, cost_us: f64, weight: u64) -> u64 {
        let change = |value: u64, weight: u64| {
            let by = charge(cost_us.abs(), weight);
            if cost_us > 0.0 {
                value.saturating_add(by)
            } else {
                value.saturating_sub(by).max(BEGIN)
            }
        };
        self.now = change(self.now, self.weights.max(weight));
        change(tag, weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_five_more_is_twice_the_weight() {
        assert_eq!(
            [-100, -25, 0, 25, 50, 100].map(weight),
            [1, 8, 16, 32, 64, 256]
        );
    }

    #[test]
    fn a_tag_ages_towards_virtual_time_and_then_goes_first() {
        let mut time = VirtualTime::default();
        let far = time.now + 1_000;
        assert_eq!(time.age(far, 1), time.now + 500);
        assert_eq!(time.age(time.now, 1), time.now);
        let first = time.age(far, AGES_MAX);
        let second = time.age(time.now, AGES_MAX);
        assert!(first < second && second < BEGIN);
    }
}
