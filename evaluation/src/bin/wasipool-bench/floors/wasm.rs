//! Wasmtime alone: the same module, instantiated and run in a loop, nothing
//! around it. What the pool gives can't be more than this.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, Store,
};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

use super::WasmFloor;

/// Guest memory that stays with the pool from run to run.
const KEEP_RESIDENT_BYTES: usize = 16 * 1024 * 1024;
/// What a guest may write.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A module that is ready to be run on one thread.
pub(super) struct Guest {
    engine: Engine,
    plan: InstancePre<WasiP1Ctx>,
    arguments: Vec<String>,
}

impl Guest {
    /// Compiles a module.
    ///
    /// # Errors
    /// If it can't be read or compiled.
    pub(super) fn load(module: &Path, arguments: &[String]) -> anyhow::Result<Self> {
        let wasm = std::fs::read(module).with_context(|| module.display().to_string())?;
        let guest = || -> wasmtime::Result<Self> {
            let engine = Engine::new(&config())?;
            let mut linker = Linker::new(&engine);
            p1::add_to_linker_sync(&mut linker, |context| context)?;
            let plan = linker.instantiate_pre(&Module::new(&engine, &wasm)?)?;
            let name = module
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let arguments = [vec![name], arguments.to_vec()].concat();
            Ok(Self {
                engine,
                plan,
                arguments,
            })
        };
        guest().map_err(|error| anyhow::anyhow!("{error:#}"))
    }

    /// Runs it once.
    ///
    /// # Errors
    /// If it traps or exits with another code than 0.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let output = MemoryOutputPipe::new(OUTPUT_BYTES_MAX);
        let context = WasiCtxBuilder::new()
            .args(&self.arguments)
            .stdout(output)
            .build_p1();
        let run = || -> wasmtime::Result<()> {
            let mut store = Store::new(&self.engine, context);
            store.set_epoch_deadline(u64::MAX / 2);
            let instance = self.plan.instantiate(&mut store)?;
            instance
                .get_typed_func::<(), ()>(&mut store, "_start")?
                .call(&mut store, ())
        };
        match run() {
            Err(error) => match error.downcast_ref::<wasmtime_wasi::I32Exit>() {
                Some(exit) if exit.0 == 0 => Ok(()),
                _ => Err(anyhow::anyhow!("{error:#}")),
            },
            Ok(()) => Ok(()),
        }
    }
}

/// The settings that the native provider has too.
fn config() -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_core_instances(32)
        .total_memories(32)
        .total_tables(32)
        .max_unused_warm_slots(32)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .decommit_batch_size(16)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .memory_init_cow(true);
    config
}

/// Runs a module on some threads for a while.
///
/// # Errors
/// If a run fails.
pub(super) fn run(
    module: &Path,
    threads: usize,
    time: Duration,
    arguments: &[String],
) -> anyhow::Result<WasmFloor> {
    let worker = || -> anyhow::Result<WasmFloor> {
        let guest = Guest::load(module, arguments)?;
        guest.run()?;
        let mut floor = WasmFloor::default();
        let start = Instant::now();
        while start.elapsed() < time {
            let begin = Instant::now();
            guest.run()?;
            floor.times_us.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        floor.runs_per_second = floor.times_us.len() as f64 / start.elapsed().as_secs_f64();
        Ok(floor)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut all = WasmFloor::default();
        for worker in workers {
            let one = worker
                .join()
                .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            all.runs_per_second += one.runs_per_second;
            all.times_us.extend(one.times_us);
        }
        all.median_us = median(&mut all.times_us);
        all.times_us.clear();
        Ok(all)
    })
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
