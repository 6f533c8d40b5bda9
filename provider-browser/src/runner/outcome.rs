//! How a guest ended, from all that is known of its end.

use wasipool_shared::task::{Exceeded, Fault, Outcome, TaskLimits, trap};
use wasipool_wasi::Halt;
use wasipool_wasi::types::Stream;

use crate::memory_limit::PAGE_LOG2;

/// The outcome of a run.
///
/// `seen` is how the call of the guest came back, `halt` why one of its imports
/// ended it, `denied` what [`DENIED_EXPORT`](crate::memory_limit::DENIED_EXPORT)
/// says.
///
/// # Errors
/// If what happened isn't the guest's doing.
pub fn outcome(
    seen: Result<Outcome, Fault>,
    halt: Option<Halt>,
    denied: f64,
    run_us: u64,
    limits: &TaskLimits,
) -> Result<Outcome, Fault> {
    // Whatever the guest made of being halted: it ends there.
    let outcome = seen.map(|outcome| halt.map_or(outcome, halted))?;
    if run_us / 1_000 > limits.timeout_ms {
        return Ok(Outcome::TimedOut);
    }
    // A guest that was denied memory and then didn't succeed ended because of it.
    let succeeded = matches!(outcome, Outcome::Exited(0) | Outcome::OutputExceeded { .. });
    if succeeded || denied == 0.0 {
        return Ok(outcome);
    }
    if denied < 0.0 {
        return Err(Fault::Internal(
            "this browser has no memory left for the guest".to_owned(),
        ));
    }
    let over_limit = denied > (limits.memory_bytes >> PAGE_LOG2) as f64;
    Ok(if over_limit {
        Outcome::OutOfMemory
    } else {
        outcome
    })
}

fn halted(halt: Halt) -> Outcome {
    match halt {
        Halt::Exit(code) => Outcome::Exited(code),
        Halt::OutputExceeded(Stream::Stdout) => Outcome::OutputExceeded {
            what: Exceeded::Stdout,
        },
        Halt::OutputExceeded(Stream::Stderr) => Outcome::OutputExceeded {
            what: Exceeded::Stderr,
        },
        Halt::Trap(bad) => Outcome::Trapped {
            reason: format!("{}: {bad}", trap::OTHER),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TaskLimits = TaskLimits {
        timeout_ms: 1_000,
        memory_bytes: 16 << PAGE_LOG2,
        output_bytes: 1,
        artifact_bytes: 1,
    };

    fn trapped() -> Outcome {
        Outcome::Trapped {
            reason: trap::UNREACHABLE.to_owned(),
        }
    }

    fn of(seen: Outcome, halt: Option<Halt>, denied: f64) -> Result<Outcome, Fault> {
        outcome(Ok(seen), halt, denied, 1_000_000, &LIMITS)
    }

    #[test]
    fn a_halt_counts_whatever_it_looked_like() {
        assert_eq!(
            of(trapped(), Some(Halt::Exit(3)), 0.0),
            Ok(Outcome::Exited(3))
        );
        assert_eq!(
            of(Outcome::Exited(0), Some(Halt::Exit(3)), 0.0),
            Ok(Outcome::Exited(3))
        );
        let exceeded = Halt::OutputExceeded(Stream::Stderr);
        let expected = Outcome::OutputExceeded {
            what: Exceeded::Stderr,
        };
        assert_eq!(of(trapped(), Some(exceeded), 99.0), Ok(expected));
    }

    #[test]
    fn denied_memory_counts_only_for_who_did_not_succeed() {
        assert_eq!(of(trapped(), None, 17.0), Ok(Outcome::OutOfMemory));
        assert_eq!(
            of(trapped(), Some(Halt::Exit(1)), 17.0),
            Ok(Outcome::OutOfMemory)
        );
        assert_eq!(
            of(trapped(), Some(Halt::Exit(0)), 17.0),
            Ok(Outcome::Exited(0))
        );
        assert_eq!(of(Outcome::Exited(0), None, -1.0), Ok(Outcome::Exited(0)));
        assert_eq!(
            of(trapped(), None, 16.0),
            Ok(trapped()),
            "its own maximum, not the limit"
        );
        assert!(
            of(trapped(), None, -1.0).is_err(),
            "the browser's memory, not the guest's"
        );
    }

    #[test]
    fn time_is_up_even_if_it_ended_before_anyone_looked() {
        let late = outcome(Ok(Outcome::Exited(0)), None, 0.0, 1_001_000, &LIMITS);
        assert_eq!(late, Ok(Outcome::TimedOut));
        let fault = Err(Fault::Internal("x".to_owned()));
        assert_eq!(outcome(fault.clone(), None, 0.0, 9_000_000, &LIMITS), fault);
    }
}
