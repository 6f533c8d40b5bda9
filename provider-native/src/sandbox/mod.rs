//! One guest's run: from a task's spec to what came out of it.
//!
//! A [`Runner`] belongs to one thread and runs one guest at a time:
//!
//! ```text
//! Job ─▶ load module ─▶ fill root ─▶ instantiate, run ─▶ take artifacts ─▶ RunResult
//! ```
//!
//! - `guest`: what belongs to one guest while it runs; `limits`, `output` and
//!   `clocks` are its parts.
//! - `host`: the functions that it imports; `poll` and `readdir` are those that
//!   differ most from wasmtime-wasi's.
//! - `root`: its private files.
//! - `stop`: how a run is stopped from outside.
//! - `trap`: from wasmtime's errors to the words for traps.

mod clocks;
mod guest;
mod host;
mod limits;
mod output;
mod poll;
mod readdir;
mod root;
mod stop;
mod trap;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::AttemptId;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasipool_shared::session::outcome::RunResult;
use wasipool_shared::task::{Fault, Outcome, Payload, TaskSpec};
use wasmtime::{InstancePre, Linker, Module, Store, UpdateDeadline};

use crate::engine::Engine;
use crate::engine::modules::Modules;
use guest::{Guest, Setup};
use root::Root;

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

    fn bytes(&self, payload: &Payload) -> Result<Bytes, Fault> {
        match payload {
            Payload::Inline(bytes) => Ok(bytes.clone()),
            Payload::Blob(blob) => self.blob(blob.digest),
        }
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
    loaded: Lru<Digest, Arc<Loaded>>,
    root: Root,
    files_bytes_max: u64,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("loaded", &self.loaded.len())
            .finish_non_exhaustive()
    }
}

/// A module that is ready to be instantiated.
struct Loaded {
    plan: InstancePre<Guest>,
    /// Whether it can make files at all.
    makes_files: bool,
}

/// Imports by which files and folders come into being.
const MAKES_FILES: [&str; 5] = [
    "path_open",
    "path_create_directory",
    "path_symlink",
    "path_link",
    "path_rename",
];

impl Runner {
    /// A runner whose guests have their files below `scratch`.
    ///
    /// # Errors
    /// If wasmtime doesn't accept the host functions.
    pub fn new(engine: Engine, modules: Arc<Modules>, scratch: &Path) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine.wasmtime());
        host::add_to_linker(&mut linker)?;
        Ok(Self {
            engine,
            modules,
            linker,
            loaded: Lru::new(LOADED_BYTES_MAX),
            root: Root::new(scratch),
            files_bytes_max: limits::FILES_BYTES_MAX,
        })
    }

    /// Sets how many bytes a guest's files may take up: 2 GiB if nobody does.
    pub fn limit_files(&mut self, bytes: u64) {
        self.files_bytes_max = bytes;
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
        let filled = self.root.fill(job);
        let result = match filled {
            Ok(_) => self.run_loaded(job, &loaded, stop),
            Err(ref fault) => Err(fault.clone().into()),
        };
        if loaded.makes_files || filled != Ok(false) {
            self.root.empty();
        }
        result
    }

    fn load(&mut self, job: &Job) -> Result<Arc<Loaded>, Fault> {
        if let Some(loaded) = self.loaded.get(&job.module) {
            return Ok(Arc::clone(loaded));
        }
        let fault = |error: wasmtime::Error| Fault::Module(format!("{error:#}"));
        let module = self
            .modules
            .load(&self.engine, job.module, &job.wasm)
            .map_err(fault)?;
        let plan = self.linker.instantiate_pre(&module).map_err(fault)?;
        let loaded = Arc::new(Loaded {
            plan,
            makes_files: makes_files(&module),
        });
        let size = module.image_range().len_bytes().max(LOADED_BYTES_MIN);
        self.loaded.insert(job.module, Arc::clone(&loaded), size);
        Ok(loaded)
    }

    fn run_loaded(
        &self,
        job: &Job,
        loaded: &Loaded,
        stop: &Arc<Stop>,
    ) -> Result<RunResult, NoResult> {
        let timeout = Duration::from_millis(job.spec.limits.timeout_ms);
        let started = Instant::now();
        let guest = Guest::new(Setup {
            spec: &job.spec,
            index: job.index,
            stdin: job.bytes(&job.spec.stdin)?,
            root: self.root.path()?,
            files_bytes_max: self.files_bytes_max,
            deadline: started.checked_add(timeout),
            stop: Arc::clone(stop),
        });
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
        let (stdout, stderr) = guest.outputs();
        let mut result = RunResult {
            attempt: job.attempt,
            outcome,
            stdout,
            stderr,
            artifacts: Vec::new(),
            run_us,
        };
        if !matches!(result.outcome, Outcome::OutputExceeded { .. }) {
            match self.root.artifacts(&job.spec)? {
                Ok(artifacts) => result.artifacts = artifacts,
                Err(exceeded) => result.outcome = Outcome::OutputExceeded { what: exceeded },
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

fn start(store: &mut Store<Guest>, loaded: &Loaded) -> Ended {
    let instance = match loaded.plan.instantiate(&mut *store) {
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

fn makes_files(module: &Module) -> bool {
    module
        .imports()
        .any(|import| MAKES_FILES.contains(&import.name()))
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
