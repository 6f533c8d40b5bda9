//! One guest's run: from a task's spec to what came out of it.
//!
//! A [`Runner`] belongs to one thread and runs one guest at a time:
//!
//! ```text
//! Job ─▶ load module ─▶ gather inputs ─▶ instantiate, run ─▶ take artifacts ─▶ RunResult
//! ```
//!
//! - `guest`: what belongs to one guest while it runs; `limits` and `world` are
//!   its parts.
//! - `files_budget`: room for the files of all guests together.
//! - `host`: the functions that it imports, those of `wasipool_wasi`.
//! - `stop`: how a run is stopped from outside.
//! - `trap`: from wasmtime's errors to the words for traps.

mod files_budget;
mod guest;
mod host;
mod limits;
mod stop;
mod trap;
mod world;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasipool_shared::artifact::Patterns;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::AttemptId;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasipool_shared::session::outcome::RunResult;
use wasipool_shared::task::{BlobRef, Fault, Outcome, TaskSpec};
use wasipool_wasi::task::{Archives, Inputs, artifacts};
use wasmtime::{InstancePre, Linker, Store, UpdateDeadline};

use crate::engine::Engine;
use crate::engine::modules::Modules;
use guest::{Guest, Setup};

pub use files_budget::FilesBudget;
pub use stop::Stop;

/// Modules that one runner has loaded: machine code and its instantiation plan.
const LOADED_MODULES_MAX: u64 = 64;
/// Bytes of machine code of all modules that one runner has loaded.
const LOADED_BYTES_MAX: u64 = 512 * MIB;
/// The least weight of a loaded module, so that there are at most
/// [`LOADED_MODULES_MAX`] of them.
const LOADED_BYTES_MIN: u64 = LOADED_BYTES_MAX / LOADED_MODULES_MAX;

/// One run to do: the spec with everything that it refers to.
#[derive(Debug, Clone)]
pub struct Job {
    /// The fencing number: comes back with the result.
    pub attempt: AttemptId,
    /// The task's index in its job: part of the seed of its randomness.
    pub index: u32,
    /// The module's digest.
    pub module: Digest,
    /// The module.
    pub wasm: Bytes,
    /// How to run it.
    pub spec: Arc<TaskSpec>,
    /// The blobs that the spec refers to.
    pub blobs: HashMap<Digest, Bytes>,
}

impl Job {
    /// A job without blobs.
    #[must_use]
    pub fn new(wasm: impl Into<Bytes>, spec: TaskSpec) -> Self {
        let wasm = wasm.into();
        let module = Digest::of(&wasm);
        let spec = Arc::new(spec);
        Self {
            attempt: AttemptId(0),
            index: 0,
            module,
            wasm,
            spec,
            blobs: HashMap::new(),
        }
    }

    fn blob(&self, digest: Digest) -> Result<Bytes, Fault> {
        let found = self.blobs.get(&digest).cloned();
        found.ok_or_else(|| Fault::Internal(format!("{digest} is not at hand")))
    }
}

/// Why a run has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoResult {
    /// It was stopped from outside.
    Stopped,
    /// The provider couldn't run it.
    Failed(Fault),
}

impl From<Fault> for NoResult {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// Runs guests, one after the other.
pub struct Runner {
    engine: Engine,
    modules: Arc<Modules>,
    linker: Linker<Guest>,
    loaded: Lru<Digest, Arc<InstancePre<Guest>>>,
    archives: Archives,
    files: Arc<FilesBudget>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("loaded", &self.loaded.len())
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// A runner on this engine, whose guests share `files` with those of others.
    ///
    /// # Errors
    /// If wasmtime doesn't accept the host functions.
    pub fn new(
        engine: Engine,
        modules: Arc<Modules>,
        files: Arc<FilesBudget>,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine.wasmtime());
        host::add_to_linker(&mut linker)?;
        Ok(Self {
            engine,
            modules,
            linker,
            loaded: Lru::new(LOADED_BYTES_MAX),
            archives: Archives::default(),
            files,
        })
    }

    /// Runs a guest to its end.
    ///
    /// # Errors
    /// If it was stopped, or this provider can't run it: never because of what
    /// the guest did.
    pub fn run(&mut self, job: &Job, stop: &Arc<Stop>) -> Result<RunResult, NoResult> {
        if stop.is_stopped() {
            return Err(NoResult::Stopped);
        }
        let loaded = self.load(job)?;
        if stop.is_stopped() {
            return Err(NoResult::Stopped);
        }
        let blob = |reference: &BlobRef| job.blob(reference.digest);
        let inputs = Inputs::new(&job.spec, &mut self.archives, blob)?;
        self.run_loaded(job, &loaded, inputs, stop)
    }

    fn load(&mut self, job: &Job) -> Result<Arc<InstancePre<Guest>>, Fault> {
        if let Some(loaded) = self.loaded.get(&job.module) {
            return Ok(Arc::clone(loaded));
        }
        let fault = |error: wasmtime::Error| Fault::Module(format!("{error:#}"));
        let module = self
            .modules
            .load(&self.engine, job.module, &job.wasm)
            .map_err(fault)?;
        let plan = self.linker.instantiate_pre(&module).map_err(fault)?;
        let loaded = Arc::new(plan);
        let size = module.image_range().len_bytes().max(LOADED_BYTES_MIN);
        self.loaded.insert(job.module, Arc::clone(&loaded), size);
        Ok(loaded)
    }

    fn run_loaded(
        &self,
        job: &Job,
        loaded: &InstancePre<Guest>,
        inputs: Inputs,
        stop: &Arc<Stop>,
    ) -> Result<RunResult, NoResult> {
        let patterns = Patterns::new(&job.spec.artifacts)
            .map_err(|error| Fault::Internal(error.to_string()))?;
        let timeout = Duration::from_millis(job.spec.limits.timeout_ms);
        let started = Instant::now();
        let guest = Guest::new(Setup {
            spec: &job.spec,
            index: job.index,
            inputs,
            deadline: started.checked_add(timeout),
            stop: Arc::clone(stop),
            files: Arc::clone(&self.files),
        })?;
        let mut store = Store::new(self.engine.wasmtime(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_epoch_deadline(1);

        let running = self.engine.running();
        let ended = start(&mut store, loaded);
        let run_us = started.elapsed().as_micros().try_into().unwrap_or(u64::MAX);
        drop(running);

        let mut guest = store.into_data();
        if let Some(reason) = guest.take_fault() {
            return Err(Fault::Internal(reason).into());
        }
        let outcome = match ended {
            Ended::Unloadable(reason) => return Err(Fault::Module(reason).into()),
            Ended::Ran(ended) => guest.outcome(ended, &job.wasm).ok_or(NoResult::Stopped)?,
        };
        let mut outputs = guest.into_outputs();
        let mut result = RunResult {
            attempt: job.attempt,
            outcome,
            stdout: outputs.stdout,
            stderr: outputs.stderr,
            artifacts: Vec::new(),
            run_us,
        };
        if let Outcome::Exited(_) = result.outcome {
            match artifacts(&mut outputs.fs, &patterns, &job.spec.limits) {
                Ok(artifacts) => result.artifacts = artifacts,
                Err(what) => result.outcome = Outcome::OutputExceeded { what },
            }
        }
        Ok(result)
    }
}

/// What came of an attempt to start a guest.
enum Ended {
    /// It isn't a command.
    Unloadable(String),
    /// It ran; the error is what ended it.
    Ran(wasmtime::Result<()>),
}

fn start(store: &mut Store<Guest>, loaded: &InstancePre<Guest>) -> Ended {
    let instance = match loaded.instantiate(&mut *store) {
        Ok(instance) => instance,
        // A memory that starts too large, a start function that traps, an
        // active segment out of bounds: the guest's doing.
        Err(error) if store.data().is_guests_doing(&error) => return Ended::Ran(Err(error)),
        Err(error) => return Ended::Unloadable(format!("{error:#}")),
    };
    match instance.get_typed_func::<(), ()>(&mut *store, "_start") {
        Ok(function) => Ended::Ran(function.call(&mut *store, ())),
        Err(error) => Ended::Unloadable(format!("{error:#}")),
    }
}

/// How many bytes a range of addresses covers.
trait LenBytes {
    fn len_bytes(&self) -> u64;
}

impl LenBytes for std::ops::Range<*const u8> {
    fn len_bytes(&self) -> u64 {
        (self.end.addr() - self.start.addr()) as u64
    }
}
