//! How fast one slot is, by the benchmark that all providers run.

use std::time::{Duration, Instant};

use wasipool_shared::capacity::{self, BENCHMARK_1000_ROUNDS, BENCHMARK_MS, BENCHMARK_WASM};
use wasmtime::{Instance, Module, Store, ensure};

use crate::engine::Engine;

/// Rounds that are timed in one call.
const ROUNDS: u32 = 1_000;

/// Runs the benchmark for [`BENCHMARK_MS`].
///
/// # Errors
/// If it can't be run, or this machine computes wrongly.
pub fn measure(engine: &Engine) -> wasmtime::Result<u32> {
    let module = Module::new(engine.wasmtime(), BENCHMARK_WASM)?;
    let run = |rounds: u32| -> wasmtime::Result<(i64, Duration)> {
        // A new instance each time: the result depends on the memory's content.
        let mut store = Store::new(engine.wasmtime(), ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = Instance::new(&mut store, &module, &[])?;
        let function = instance.get_typed_func::<u32, i64>(&mut store, "rounds")?;
        let started = Instant::now();
        let result = function.call(&mut store, rounds)?;
        Ok((result, started.elapsed()))
    };
    let (result, _) = run(1_000)?;
    ensure!(
        result == BENCHMARK_1000_ROUNDS,
        "this machine computes wrongly: the benchmark gave {result}"
    );
    let (mut rounds, mut elapsed) = (0, Duration::ZERO);
    while elapsed < Duration::from_millis(BENCHMARK_MS) {
        let (_, took) = run(ROUNDS)?;
        rounds += u64::from(ROUNDS);
        elapsed += took;
    }
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    Ok(capacity::speed(rounds, elapsed_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ticker;

    #[test]
    fn this_machine_computes_rightly_and_has_a_speed() {
        let engine = Engine::new(&Ticker::start().unwrap(), 1).unwrap();
        assert!(measure(&engine).unwrap() >= 1);
    }
}
