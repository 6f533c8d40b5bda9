//! How fast this worker is.

use js_sys::{BigInt, Function, Object, Reflect, Uint8Array, WebAssembly};
use wasipool_shared::capacity::{BENCHMARK_1000_ROUNDS, BENCHMARK_MS, BENCHMARK_WASM, speed};
use wasm_bindgen::prelude::*;

use crate::js::{message, monotonic_us};

/// Rounds between two looks at the clock.
const STEP: u32 = 100;
/// The time is split into so many parts, of which the best counts: in the first
/// ones the engine still compiles, and the page that is being loaded takes its
/// share.
const WINDOWS: u32 = 4;

/// Runs the benchmark and gives the speed, or what is wrong.
pub(super) fn run() -> Result<u32, String> {
    let say = |error: JsValue| message(&error);
    let rounds = instance().map_err(say)?;
    let call = |count: u32| -> Result<i64, String> {
        let result = rounds
            .call1(&JsValue::UNDEFINED, &count.into())
            .map_err(say)?;
        let result: BigInt = result.dyn_into().map_err(say)?;
        i64::try_from(result).map_err(|_| "a number that is none".to_owned())
    };
    // On a fresh memory, and what makes the engine optimise the code.
    if call(1_000)? != BENCHMARK_1000_ROUNDS {
        return Err("this browser computes wrongly".to_owned());
    }
    let mut best = 0;
    for _ in 0..WINDOWS {
        let start_us = monotonic_us();
        let end_us = start_us + BENCHMARK_MS as f64 * 1_000.0 / f64::from(WINDOWS);
        let mut done = 0;
        let mut now_us = start_us;
        while now_us < end_us {
            call(STEP)?;
            done += u64::from(STEP);
            now_us = monotonic_us();
        }
        best = best.max(speed(done, (now_us - start_us) as u64));
    }
    Ok(best)
}

fn instance() -> Result<Function, JsValue> {
    let module = WebAssembly::Module::new(&Uint8Array::from(BENCHMARK_WASM))?;
    let instance = WebAssembly::Instance::new(&module, &Object::new())?;
    Reflect::get(&instance.exports(), &"rounds".into())?.dyn_into()
}
