//! Wasmtime, set up for many short runs of strangers' modules.
//!
//! Each worker thread has an [`Engine`] of its own, because threads that share
//! one contend for its pool at each instantiation. All engines have the same
//! configuration, so that what one has compiled the others can load:
//! [`modules::Modules`].

mod disk;
pub mod modules;
pub mod speed;
mod ticker;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use wasipool_shared::capacity::Features;
use wasipool_shared::limits::{GIB, MIB};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures,
};

pub use ticker::{Running, TICK, Ticker};

/// Native stack for wasm frames.
pub const WASM_STACK_BYTES: usize = MIB as usize;
/// Stack of a thread that runs guests: wasm frames, the host's below and above
/// them, and the compiler, which recurses into large functions.
pub const THREAD_STACK_BYTES: usize = 8 * MIB as usize;
/// Entries of one table, at most.
pub const TABLE_ELEMENTS_MAX: usize = 1 << 20;
/// Memories, and tables, that one module may have.
const PER_MODULE: u32 = 8;
/// Bytes of a guest's memory that stay with the pool for the next guest, so
/// that it needn't fault them in again.
const KEEP_RESIDENT_BYTES: usize = 16 * MIB as usize;
/// The same where the kernel can't say which pages were touched: all of it is
/// cleared after each run then.
const KEEP_RESIDENT_BYTES_BLIND: usize = 256 * 1024;

/// One worker's wasmtime engine and the clock that interrupts its guests.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    ticker: Arc<Ticker>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// An engine for one of `workers` threads.
    ///
    /// # Errors
    /// If the machine hasn't the address space for the pool.
    pub fn new(ticker: &Arc<Ticker>, workers: usize) -> wasmtime::Result<Self> {
        let wasmtime = wasmtime::Engine::new(&config(workers))?;
        ticker.watch(&wasmtime);
        Ok(Self {
            wasmtime,
            ticker: Arc::clone(ticker),
        })
    }

    /// Wasmtime's own.
    #[must_use]
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// While this is held, guests of this engine are interrupted each [`TICK`].
    #[must_use]
    pub fn running(&self) -> Running<'_> {
        self.ticker.running()
    }

    /// What distinguishes the machine code of this engine from that of engines
    /// of other versions, configurations and processors.
    #[must_use]
    pub fn compatibility(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.wasmtime
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Features beyond the 1.0 core that modules may use.
    #[must_use]
    pub fn features(&self) -> Features {
        let has = self.wasmtime.get_wasm_features();
        let pairs = [
            (WasmFeatures::MULTI_VALUE, Features::MULTI_VALUE),
            (WasmFeatures::SIGN_EXTENSION, Features::SIGN_EXTENSION),
            (
                WasmFeatures::SATURATING_FLOAT_TO_INT,
                Features::SATURATING_FLOAT,
            ),
            (WasmFeatures::BULK_MEMORY, Features::BULK_MEMORY),
            (WasmFeatures::MUTABLE_GLOBAL, Features::MUTABLE_GLOBAL),
            (WasmFeatures::REFERENCE_TYPES, Features::REFERENCE_TYPES),
            (WasmFeatures::SIMD, Features::SIMD),
            (WasmFeatures::RELAXED_SIMD, Features::RELAXED_SIMD),
            (WasmFeatures::TAIL_CALL, Features::TAIL_CALL),
            (WasmFeatures::MULTI_MEMORY, Features::MULTI_MEMORY),
            (WasmFeatures::EXTENDED_CONST, Features::EXTENDED_CONST),
            (WasmFeatures::EXCEPTIONS, Features::EXCEPTIONS),
            (WasmFeatures::MEMORY64, Features::MEMORY64),
            (WasmFeatures::GC, Features::GC),
        ];
        // Not THREADS: shared memories escape the memory limit, and WASI
        // preview 1 has nothing to start a thread with.
        pairs
            .into_iter()
            .filter(|(theirs, _)| has.contains(*theirs))
            .fold(Features::default(), |set, (_, ours)| set.union(ours))
    }
}

/// Wasmtime's error as one of those that the rest of the program has.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub fn explain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn config(workers: usize) -> Config {
    // Places in the pool beyond the one in use let it clear memory in batches.
    // Each reserves 4 GiB of address space, of which there are 128 TiB.
    let places: u32 = if workers <= 128 { 32 } else { PER_MODULE };
    let mut pool = PoolingAllocationConfig::default();
    let knows_touched_pages = PoolingAllocationConfig::is_pagemap_scan_available();
    let keep_resident = if knows_touched_pages {
        KEEP_RESIDENT_BYTES
    } else {
        KEEP_RESIDENT_BYTES_BLIND
    };
    pool.total_core_instances(places)
        .total_memories(places)
        .total_tables(places)
        .total_stacks(places)
        .total_gc_heaps(places)
        .max_core_instance_size(64 * MIB as usize)
        .max_memories_per_module(PER_MODULE)
        .max_tables_per_module(PER_MODULE)
        .max_memory_size(4 * GIB as usize)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(places)
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(64 * 1024)
        .decommit_batch_size(16)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .memory_init_cow(true)
        .parallel_compilation(true);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_agree_and_say_what_they_can() {
        let ticker = Ticker::start().unwrap();
        let one = Engine::new(&ticker, 2).unwrap();
        let other = Engine::new(&ticker, 2).unwrap();
        assert_eq!(one.compatibility(), other.compatibility());
        let features = one.features();
        for known in [Features::SIMD, Features::BULK_MEMORY, Features::TAIL_CALL] {
            assert!(
                features.contains(known),
                "{:?}",
                known.names().collect::<Vec<_>>()
            );
        }
        assert!(!features.contains(Features::THREADS));
    }
}
