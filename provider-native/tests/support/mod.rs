//! A runner without a network, and guests for it.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::path::Path;
use std::sync::Arc;

use wasipool_provider::engine::modules::Modules;
use wasipool_provider::engine::{Engine, Ticker};
use wasipool_provider::sandbox::{FilesBudget, Job, NoResult, Runner, Stop};
use wasipool_shared::limits::MIB;
use wasipool_shared::session::outcome::RunResult;
use wasipool_shared::task::{Files, Payload, TaskLimits, TaskSpec};

/// A runner.
pub(crate) struct Bench {
    ticker: Arc<Ticker>,
    modules: Arc<Modules>,
    files: Arc<FilesBudget>,
    pub(crate) runner: Runner,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_files(u64::MAX)
    }

    /// A runner whose guests may have so many bytes of files together.
    pub(crate) fn with_files(bytes_max: u64) -> Self {
        let files = Arc::new(FilesBudget::new(bytes_max));
        let ticker = Ticker::start().unwrap();
        let engine = Engine::new(&ticker, 4).unwrap();
        let modules = Arc::new(Modules::new(&engine, None));
        let runner = Runner::new(engine, Arc::clone(&modules), Arc::clone(&files)).unwrap();
        Self {
            ticker,
            files,
            modules,
            runner,
        }
    }

    /// Another runner of the same provider.
    pub(crate) fn another(&self) -> Self {
        let engine = Engine::new(&self.ticker, 4).unwrap();
        let modules = Arc::clone(&self.modules);
        let files = Arc::clone(&self.files);
        let runner = Runner::new(engine, Arc::clone(&modules), Arc::clone(&files)).unwrap();
        Self {
            ticker: Arc::clone(&self.ticker),
            files,
            modules,
            runner,
        }
    }

    pub(crate) fn compiled(&self) -> u64 {
        self.modules.compiled()
    }

    pub(crate) fn try_run(&mut self, job: &Job, stop: &Arc<Stop>) -> Result<RunResult, NoResult> {
        self.runner.run(job, stop)
    }

    pub(crate) fn run(&mut self, job: &Job) -> RunResult {
        self.try_run(job, &Arc::default()).unwrap()
    }

    /// Runs a module of these fields.
    pub(crate) fn run_wat(&mut self, fields: &str) -> RunResult {
        self.run(&Job::new(module(fields), spec(&["test"])))
    }
}

/// A module of these fields, without names.
pub(crate) fn module(fields: &str) -> Vec<u8> {
    let text = format!("(module {fields})");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// A guest of `wasi-apps`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("target/guests").join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}\nThe guests are not built: run `make guests`",
            path.display()
        )
    })
}

/// A spec with these arguments and generous limits.
pub(crate) fn spec(args: &[&str]) -> TaskSpec {
    TaskSpec {
        args: args.iter().map(ToString::to_string).collect(),
        env: Vec::new(),
        stdin: Payload::EMPTY,
        files: Files::None,
        artifacts: Vec::new(),
        limits: TaskLimits {
            timeout_ms: 60_000,
            memory_bytes: 256 * MIB,
            output_bytes: 16 * MIB,
            artifact_bytes: 64 * MIB,
        },
        seed: None,
    }
}
