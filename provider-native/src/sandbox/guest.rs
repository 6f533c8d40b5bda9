//! What belongs to one guest while it runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use wasipool_shared::deterministic::Random;
use wasipool_shared::task::{Exceeded, Outcome, TaskSpec};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::clocks::Clocks;
use super::limits::{FileRoom, Limiter};
use super::output::Capture;
use super::stop::Stop;
use super::trap;

/// What a guest starts with.
pub(super) struct Setup<'a> {
    pub(super) spec: &'a Arc<TaskSpec>,
    pub(super) index: u32,
    pub(super) stdin: Bytes,
    pub(super) root: PathBuf,
    /// Bytes that its files may take up.
    pub(super) files_bytes_max: u64,
    /// When its time is over; never, if that is too far away to be told.
    pub(super) deadline: Option<Instant>,
    pub(super) stop: Arc<Stop>,
}

/// The state of one guest.
pub(super) struct Guest {
    /// Made at the first call that needs it: many a guest calls nothing.
    wasi: Option<WasiP1Ctx>,
    world: World,
    pub(super) limiter: Limiter,
    pub(super) room: FileRoom,
    pub(super) random: Option<Random>,
    pub(super) deadline: Option<Instant>,
    pub(super) stop: Arc<Stop>,
    interrupted: Option<Interrupted>,
}

/// What a guest sees.
struct World {
    spec: Arc<TaskSpec>,
    stdin: Bytes,
    root: PathBuf,
    stdout: Capture,
    stderr: Capture,
    clocks: Clocks,
    /// What went wrong on the provider's side.
    fault: Option<String>,
}

/// Ends a guest from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Interrupted {
    #[error("stopped")]
    Stopped,
    #[error("out of time")]
    OutOfTime,
}

/// Ends a guest that wants to end, with its exit code.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("exit {0}")]
pub(super) struct Exit(pub(super) u32);

impl World {
    fn build(&mut self) -> WasiP1Ctx {
        let mut builder = WasiCtxBuilder::new();
        builder
            .args(&self.spec.args)
            .envs(&self.spec.env)
            .stdin(MemoryInputPipe::new(std::mem::take(&mut self.stdin)))
            .stdout(self.stdout.clone())
            .stderr(self.stderr.clone())
            .wall_clock(self.clocks.clone())
            .monotonic_clock(self.clocks.clone())
            // Guests have threads of their own here, so they may block them.
            .allow_blocking_current_thread(true);
        if let Err(error) = builder.preopened_dir(&self.root, "/", FsPerms::ReadWrite) {
            self.fault = Some(format!("can't open the guest's root: {error:#}"));
        }
        builder.build_p1()
    }
}

impl Guest {
    pub(super) fn new(setup: Setup<'_>) -> Self {
        let Setup {
            spec,
            index,
            stdin,
            root,
            files_bytes_max,
            deadline,
            stop,
        } = setup;
        Self {
            wasi: None,
            limiter: Limiter::new(spec.limits.memory_bytes),
            room: FileRoom::new(root.clone(), files_bytes_max),
            random: spec.seed.map(|seed| Random::new(seed, index)),
            world: World {
                spec: Arc::clone(spec),
                stdin,
                root,
                stdout: Capture::new(spec.limits.output_bytes),
                stderr: Capture::new(spec.limits.output_bytes),
                clocks: Clocks::new(spec.seed.is_some()),
                fault: None,
            },
            deadline,
            stop,
            interrupted: None,
        }
    }

    /// The WASI side of it.
    pub(super) fn wasi(&mut self) -> &mut WasiP1Ctx {
        let Self { wasi, world, .. } = self;
        wasi.get_or_insert_with(|| world.build())
    }

    /// What it reads and sleeps by.
    pub(super) fn clocks(&self) -> &Clocks {
        &self.world.clocks
    }

    /// Fails if the guest has to end now.
    pub(super) fn check(&mut self) -> wasmtime::Result<()> {
        if self.world.fault.is_some() || self.stop.is_stopped() {
            self.interrupted = Some(Interrupted::Stopped);
        } else if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.interrupted = Some(Interrupted::OutOfTime);
        }
        match self.interrupted {
            Some(interrupted) => Err(interrupted.into()),
            None => Ok(()),
        }
    }

    /// What went wrong on the provider's side.
    pub(super) fn take_fault(&mut self) -> Option<String> {
        self.world.fault.take()
    }

    /// Whether an error of the instantiation is what the guest gets for what
    /// it is, not what the provider can't do.
    pub(super) fn is_guests_doing(&self, error: &wasmtime::Error) -> bool {
        self.limiter.denied
            || self.interrupted.is_some()
            || self.world.stdout.exceeded()
            || self.world.stderr.exceeded()
            || error.is::<Exit>()
            || trap::is_trap(error)
    }

    /// How its run ended; nothing if it was stopped.
    pub(super) fn outcome(&self, ended: wasmtime::Result<()>, wasm: &[u8]) -> Option<Outcome> {
        for (output, what) in [
            (&self.world.stdout, Exceeded::Stdout),
            (&self.world.stderr, Exceeded::Stderr),
        ] {
            if output.exceeded() {
                return Some(Outcome::OutputExceeded { what });
            }
        }
        match self.interrupted {
            Some(Interrupted::Stopped) => return None,
            Some(Interrupted::OutOfTime) => return Some(Outcome::TimedOut),
            None => {}
        }
        let error = match ended {
            Ok(()) => return Some(Outcome::Exited(0)),
            Err(error) => error,
        };
        Some(match error.downcast_ref::<Exit>() {
            Some(Exit(0)) => Outcome::Exited(0),
            _ if self.limiter.denied => Outcome::OutOfMemory,
            Some(Exit(code)) => Outcome::Exited(*code),
            None => Outcome::Trapped {
                reason: trap::reason(&error, wasm),
            },
        })
    }

    /// What it wrote to stdout and stderr.
    pub(super) fn outputs(&self) -> (Bytes, Bytes) {
        (self.world.stdout.take(), self.world.stderr.take())
    }
}
