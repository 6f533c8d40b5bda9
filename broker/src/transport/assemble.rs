//! Puts an outcome together with the outputs that came on streams of their own.
//!
//! Streams and control stream are independent: either may come first.

use std::collections::HashMap;

use bytes::Bytes;
use wasipool_shared::ids::AttemptId;
use wasipool_shared::wire::bulk::OutputPart;
use wasipool_shared::wire::message::{Ended, Output};

use crate::driver::handle::Finished;

/// Bytes of outputs of one session that wait for their outcome.
pub const PENDING_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Outcomes and outputs of one session that wait for each other.
pub const PENDING_MAX: usize = 8_192;

/// A rule that the provider broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// Too much waits.
    #[error("more than {PENDING_MAX} outcomes or {PENDING_BYTES_MAX} bytes wait to be completed")]
    TooMuch,
    /// A stream carried something else than what the outcome announced.
    #[error("attempt {attempt}: {part:?} has {got} bytes, {announced} were announced")]
    Size {
        /// Which attempt.
        attempt: AttemptId,
        /// Which output.
        part: OutputPart,
        /// What the stream carried.
        got: u64,
        /// What the outcome said.
        announced: u64,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub struct Assembler {
    parts: HashMap<AttemptId, HashMap<OutputPart, Bytes>>,
    outcomes: HashMap<AttemptId, Ended>,
    bytes: u64,
    count: usize,
}

impl Assembler {
    /// An outcome has come.
    ///
    /// # Errors
    /// If the provider broke a rule: its session has to end.
    pub fn on_ended(&mut self, ended: Ended) -> Result<Option<Finished>, AssembleError> {
        let attempt = ended.attempt;
        if self.outcomes.insert(attempt, ended).is_none() {
            self.count += 1;
        }
        self.check()?;
        self.complete(attempt)
    }

    /// An output has come.
    ///
    /// # Errors
    /// If the provider broke a rule: its session has to end.
    pub fn on_part(
        &mut self,
        attempt: AttemptId,
        part: OutputPart,
        bytes: Bytes,
    ) -> Result<Option<Finished>, AssembleError> {
        self.bytes += bytes.len() as u64;
        self.count += 1;
        if let Some(earlier) = self.parts.entry(attempt).or_default().insert(part, bytes) {
            self.bytes -= earlier.len() as u64;
            self.count -= 1;
        }
        self.check()?;
        self.complete(attempt)
    }

    fn check(&self) -> Result<(), AssembleError> {
        if self.count > PENDING_MAX || self.bytes > PENDING_BYTES_MAX {
            return Err(AssembleError::TooMuch);
        }
        Ok(())
    }

    fn complete(&mut self, attempt: AttemptId) -> Result<Option<Finished>, AssembleError> {
        let Some(ended) = self.outcomes.get(&attempt) else {
            return Ok(None);
        };
        let parts = self.parts.get(&attempt);
        for (part, size) in announced(ended) {
            match parts.and_then(|parts| parts.get(&part)) {
                Some(bytes) if bytes.len() as u64 == size => {}
                Some(bytes) => {
                    let got = bytes.len() as u64;
                    return Err(AssembleError::Size {
                        attempt,
                        part,
                        got,
                        announced: size,
                    });
                }
                None => return Ok(None),
            }
        }
        let mut parts = self.parts.remove(&attempt).unwrap_or_default();
        self.count -= parts.len() + 1;
        self.bytes -= parts.values().map(|bytes| bytes.len() as u64).sum::<u64>();
        let Some(ended) = self.outcomes.remove(&attempt) else {
            return Ok(None);
        };
        let mut bytes = |part, output| match output {
            Output::Inline(bytes) => bytes,
            Output::Stream { .. } => parts.remove(&part).unwrap_or_default(),
        };
        let stdout = bytes(OutputPart::Stdout, ended.stdout);
        let stderr = bytes(OutputPart::Stderr, ended.stderr);
        let artifacts = (0..).zip(ended.artifacts).map(|(index, artifact)| {
            (
                artifact.path,
                bytes(OutputPart::Artifact(index), artifact.content),
            )
        });
        Ok(Some(Finished {
            attempt,
            artifacts: artifacts.collect(),
            outcome: ended.outcome,
            stdout,
            stderr,
            timing: ended.timing,
        }))
    }
}

/// The outputs of an outcome that come on streams, with their sizes.
fn announced(ended: &Ended) -> impl Iterator<Item = (OutputPart, u64)> {
    let own = [
        (OutputPart::Stdout, &ended.stdout),
        (OutputPart::Stderr, &ended.stderr),
    ];
    let artifacts = (0..).zip(&ended.artifacts);
    let artifacts = artifacts.map(|(index, file)| (OutputPart::Artifact(index), &file.content));
    own.into_iter()
        .chain(artifacts)
        .filter_map(|(part, output)| match output {
            Output::Inline(_) => None,
            Output::Stream { size } => Some((part, *size)),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasipool_shared::task::{Outcome, Timing};
    use wasipool_shared::wire::message::Artifact;

    const ATTEMPT: AttemptId = AttemptId(7);

    fn ended() -> Ended {
        Ended {
            attempt: ATTEMPT,
            outcome: Outcome::Exited(0),
            stdout: Output::Stream { size: 3 },
            stderr: Output::Inline(Bytes::from_static(b"small")),
            artifacts: vec![Artifact {
                path: "a".into(),
                content: Output::Stream { size: 1 },
            }],
            timing: Timing::default(),
        }
    }

    #[test]
    fn parts_and_outcome_come_in_any_order() {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut assembler = Assembler::default();
            let mut done = Vec::new();
            for what in order {
                let finished = match what {
                    0 => assembler.on_ended(ended()),
                    1 => assembler.on_part(ATTEMPT, OutputPart::Stdout, Bytes::from_static(b"out")),
                    _ => assembler.on_part(ATTEMPT, OutputPart::Artifact(0), "A".into()),
                };
                done.push(finished.unwrap());
            }
            let finished = done.pop().flatten().expect("complete with the last");
            assert!(
                done.iter().all(Option::is_none),
                "{order:?}: not before the last"
            );
            assert_eq!(finished.stdout, "out");
            assert_eq!(finished.stderr, "small");
            assert_eq!(
                finished.artifacts,
                [("a".to_owned(), Bytes::from_static(b"A"))]
            );
            assert_eq!(
                (assembler.count, assembler.bytes),
                (0, 0),
                "nothing is kept"
            );
        }
    }

    #[test]
    fn another_size_than_announced_breaks_the_rules() {
        let mut assembler = Assembler::default();
        assembler
            .on_part(ATTEMPT, OutputPart::Stdout, Bytes::from_static(b"four"))
            .unwrap();
        let error = assembler.on_ended(ended()).unwrap_err();
        assert!(
            matches!(
                error,
                AssembleError::Size {
                    got: 4,
                    announced: 3,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn what_is_never_completed_is_limited() {
        let mut assembler = Assembler::default();
        for attempt in 0..PENDING_MAX as u64 {
            let part = assembler.on_part(AttemptId(attempt), OutputPart::Stdout, Bytes::new());
            assert!(part.unwrap().is_none());
        }
        let last = assembler.on_part(AttemptId(u64::MAX), OutputPart::Stdout, Bytes::new());
        assert_eq!(last.unwrap_err(), AssembleError::TooMuch);
    }
}
