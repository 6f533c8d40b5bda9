//! How a call can end the guest, and how it can fail on the way.

use super::types::{Errno, Stream};

/// The guest ends here: the call that gave this must not return to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The guest called `proc_exit` with this code.
    Exit(u32),
    /// The guest wrote more than it may. What fitted is kept.
    OutputExceeded(Stream),
    /// The call itself was malformed. The definition of WASI says that this
    /// traps, and native hosts do so.
    Trap(BadCall),
}

/// What was wrong with a call that traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// A pointer or a length leads outside of the guest's memory.
    #[error("a pointer passed to WASI is out of bounds of the memory")]
    OutOfBounds,
    /// A pointer isn't a multiple of its type's alignment.
    #[error("a pointer passed to WASI is not aligned")]
    Misaligned,
    /// An enum or a set of flags has a value that doesn't exist.
    #[error("a value passed to WASI is not one of its type")]
    InvalidValue,
}

/// Why the work behind a call stopped early. Most of it fails with a number
/// that the guest gets; some of it ends the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Errno(Errno),
    Halt(Halt),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<BadCall> for Stop {
    fn from(bad: BadCall) -> Self {
        Self::Halt(Halt::Trap(bad))
    }
}

/// The result of work behind a call.
pub(crate) type Step<T> = Result<T, Stop>;

/// What the call returns for the result of the work.
pub(crate) fn answer(result: Step<()>) -> Result<Errno, Halt> {
    match result {
        Ok(()) => Ok(Errno::Success),
        Err(Stop::Errno(errno)) => Ok(errno),
        Err(Stop::Halt(halt)) => Err(halt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_errors_and_halts_apart() {
        assert_eq!(answer(Ok(())), Ok(Errno::Success));
        assert_eq!(answer(Err(Errno::Badf.into())), Ok(Errno::Badf));
        assert_eq!(answer(Err(Halt::Exit(3).into())), Err(Halt::Exit(3)));
    }
}
