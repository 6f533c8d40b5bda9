//! What the host needs from outside and can't make itself.

/// Clocks, randomness and sleep.
///
/// The tab gives the real ones. Deterministic runs and tests give their own,
/// and nothing else in the host depends on when or where it runs.
pub trait World {
    /// Nanoseconds of a clock that never goes back.
    fn monotonic_ns(&mut self) -> u64;

    /// Nanoseconds since 1970.
    fn wall_ns(&mut self) -> u64;

    /// Both clocks at once, monotonic and wall: once for each wait, whatever it
    /// waits for. Clocks that advance with each reading do so once here.
    fn both_ns(&mut self) -> (u64, u64) {
        (self.monotonic_ns(), self.wall_ns())
    }

    /// Fills the buffer with random bytes.
    fn random(&mut self, into: &mut [u8]);

    /// Returns when [`World::monotonic_ns`] has reached this value.
    fn sleep_until(&mut self, monotonic_ns: u64);

    /// The time that files get when they change. Apart from
    /// [`World::wall_ns`] because clocks of deterministic runs advance with
    /// each reading, which must then be the guest's own readings only.
    fn file_ns(&mut self) -> u64 {
        self.wall_ns()
    }

    /// The resolution of both clocks, as `clock_res_get` tells it. Never 0.
    fn resolution_ns(&mut self) -> u64 {
        1
    }
}
