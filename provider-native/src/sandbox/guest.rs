//! What belongs to one guest while it runs.

use std::sync::Arc;
use std::time::Instant;

use wasipool_shared::limits::GUEST_FILES_BYTES_MAX;
use wasipool_shared::task::{Exceeded, Fault, Outcome, TaskSpec};
use wasipool_wasi::task::Inputs;
use wasipool_wasi::types::{Errno, Stream};
use wasipool_wasi::{Config, Halt, Host, Outputs, Seeded};
use wasmtime::Memory;

use super::files_budget::{FilesBudget, Share};
use super::limits::Limiter;
use super::stop::Stop;
use super::trap;
use super::world::GuestWorld;

/// What a guest starts with.
pub(super) struct Setup<'a> {
    pub(super) spec: &'a TaskSpec,
    pub(super) index: u32,
    pub(super) inputs: Inputs,
    /// When its time is over; never, if that is too far away to be told.
    pub(super) deadline: Option<Instant>,
    pub(super) stop: Arc<Stop>,
    pub(super) files: Arc<FilesBudget>,
}

/// The state of one guest.
pub(super) struct Guest {
    pub(super) host: Host<GuestWorld>,
    /// Its linear memory, once a call has asked for it.
    pub(super) memory: Option<Memory>,
    pub(super) limiter: Limiter,
    files: Share,
    interrupted: Option<Interrupted>,
}

/// Ends a guest from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupted {
    #[error("stopped")]
    Stopped,
    #[error("out of time")]
    OutOfTime,
}

/// Ends a guest from within one of its calls.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0:?}")]
pub(super) struct Halted(pub(super) Halt);

const NO_ROOM: &str = "this provider has no memory left for files of guests";

impl Guest {
    /// # Errors
    /// If the files make no tree, or there is no room for them.
    pub(super) fn new(setup: Setup<'_>) -> Result<Self, Fault> {
        let Setup {
            spec,
            index,
            inputs,
            deadline,
            stop,
            files,
        } = setup;
        let config = Config {
            args: spec.args.clone(),
            env: spec.env.clone(),
            stdin: inputs.stdin,
            files: inputs.files,
            output_limit: spec.limits.output_bytes,
            fs_limit: GUEST_FILES_BYTES_MAX,
        };
        let seeded = spec.seed.map(|seed| Seeded::new(seed, index));
        let world = GuestWorld::new(seeded, deadline, stop);
        let host = Host::new(config, world).map_err(|error| Fault::Files(error.to_string()))?;
        let mut files = Share::none(files);
        if !files.resize(host.files_bytes()) {
            return Err(Fault::Internal(NO_ROOM.to_owned()));
        }
        Ok(Self {
            host,
            memory: None,
            limiter: Limiter::new(spec.limits.memory_bytes),
            files,
            interrupted: None,
        })
    }

    /// What a call gives the guest, if it doesn't end it.
    pub(super) fn answer(&mut self, answer: Result<Errno, Halt>) -> wasmtime::Result<Errno> {
        let files = self.host.files_bytes();
        if !self.files.is(files) && !self.files.resize(files) {
            self.host.world_mut().fail(NO_ROOM.to_owned());
            self.check()?;
        }
        if self.host.world_mut().has_waited() {
            self.check()?;
        }
        answer.map_err(|halt| Halted(halt).into())
    }

    /// Fails if the guest has to end now.
    pub(super) fn check(&mut self) -> wasmtime::Result<()> {
        let world = self.host.world_mut();
        if world.has_fault() || world.is_stopped() {
            self.interrupted = Some(Interrupted::Stopped);
        } else if world.is_late() {
            self.interrupted = Some(Interrupted::OutOfTime);
        }
        match self.interrupted {
            Some(interrupted) => Err(interrupted.into()),
            None => Ok(()),
        }
    }

    /// What went wrong on the provider's side.
    pub(super) fn take_fault(&mut self) -> Option<String> {
        self.host.world_mut().take_fault()
    }

    /// Whether an error of the instantiation is what the guest gets for what
    /// it is, not what the provider can't do.
    pub(super) fn is_guests_doing(&self, error: &wasmtime::Error) -> bool {
        self.limiter.denied
            || self.interrupted.is_some()
            || error.is::<Halted>()
            || trap::is_trap(error)
    }

    /// How its run ended; nothing if it was stopped.
    pub(super) fn outcome(&self, ended: wasmtime::Result<()>, wasm: &[u8]) -> Option<Outcome> {
        match self.interrupted {
            Some(Interrupted::Stopped) => return None,
            Some(Interrupted::OutOfTime) => return Some(Outcome::TimedOut),
            None => {}
        }
        let error = match ended {
            Ok(()) => return Some(Outcome::Exited(0)),
            Err(error) => error,
        };
        let halt = error.downcast_ref().map(|Halted(halt)| *halt);
        Some(match halt {
            Some(Halt::OutputExceeded(stream)) => Outcome::OutputExceeded {
                what: match stream {
                    Stream::Stdout => Exceeded::Stdout,
                    Stream::Stderr => Exceeded::Stderr,
                },
            },
            Some(Halt::Exit(0)) => Outcome::Exited(0),
            _ if self.limiter.denied => Outcome::OutOfMemory,
            Some(Halt::Exit(code)) => Outcome::Exited(code),
            Some(Halt::Trap(_)) | None => Outcome::Trapped {
                reason: trap::reason(&error, wasm),
            },
        })
    }

    /// What it wrote, and its files.
    pub(super) fn into_outputs(self) -> Outputs {
        self.host.into_outputs()
    }
}
