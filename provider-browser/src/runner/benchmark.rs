//! How fast this worker is.

use js_sys::{BigInt, Function, Object, Reflect, Uint8Array, WebAssembly};
use wasipool_shared::capacity::{
    BENCHMARK_1000_ROUNDS, BENCHMARK_MS, BENCHMARK_WASM, speed,
};
use wasm_bindgen::prelude::*;

use crate::js::{message, monotonic_us};

/// Rounds between two looks at the clock.
const STEP: u32 = 200;

/// Runs the benchmark and gives the speed, or what is wrong.
pub(super) fn run() -> Result<u32, String> {
    let say = |error: JsValue| message(&error);
    let rounds = instance().map_err(say)?;
    let call = |count: u32| -> Result<i64, String> {
        let result = rounds.call1(&JsValue::UNDEFINED, &count.into()).map_err(say)?;
        let result: BigInt = result.dyn_into().map_err(say)?;
        i64::try_from(result).map_err(|_| "a number that is none".to_owned())
    };
    // On a fresh memory, and what makes the engine optimise the code.
    if call(1_000)? != BENCHMARK_1000_ROUNDS {
        return Err("this browser computes wrongly".to_owned());
    }
    let start_us = monotonic_us();
    let end_us = start_us + BENCHMARK_MS as f64 * 1_000.0;
    let mut done = 0;
    loop {
        call(STEP)?;
        done += u64::from(STEP);
        let now_us = monotonic_us();
        if now_us >= end_us {
            return Ok(speed(done, (now_us - start_us) as u64));
        }
    }
}

fn instance() -> Result<Function, JsValue> {
    let module = WebAssembly::Module::new(&Uint8Array::from(BENCHMARK_WASM))?;
    let instance = WebAssembly::Instance::new(&module, &Object::new())?;
    Reflect::get(&instance.exports(), &"rounds".into())?.dyn_into()
}
