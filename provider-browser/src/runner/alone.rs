//! One guest without a session, for a page that wants nothing but to run a
//! module: see `wasi-apps/web-demo`. The worker that calls it must have loaded
//! `web/guest-glue.js`.

use js_sys::{Object, Reflect, Uint8Array};
use wasipool_shared::ids::AttemptId;
use wasipool_shared::limits::{
    ARTIFACT_BYTES_MAX, MEMORY_BYTES_DEFAULT, OUTPUT_BYTES_DEFAULT, TIMEOUT_MS_DEFAULT,
};
use wasipool_shared::task::{Fault, Files, Outcome, Payload, TaskLimits, TaskSpec};
use wasm_bindgen::prelude::*;

use super::{calls, entry, run};
use crate::order::Order;

/// Runs a module; `args` begin with its name, `env` has `NAME=value`. The answer
/// is `{state, exitCode, reason, stdout, stderr, ms}`: `state` as in the HTTP API,
/// `exitCode` and `reason` only where there is one.
///
/// # Errors
/// If this browser can't run it; the guest's own end is never an error.
#[wasm_bindgen(js_name = runAlone)]
#[expect(unreachable_pub, reason = "wasm-bindgen exports only what is public")]
pub fn run_alone(
    wasm: &Uint8Array,
    args: Vec<String>,
    env: Vec<String>,
    stdin: Vec<u8>,
) -> Result<Object, JsError> {
    let limits = TaskLimits {
        timeout_ms: TIMEOUT_MS_DEFAULT,
        memory_bytes: MEMORY_BYTES_DEFAULT,
        output_bytes: OUTPUT_BYTES_DEFAULT,
        artifact_bytes: ARTIFACT_BYTES_MAX,
    };
    let module = entry::limited(wasm, limits.memory_bytes);
    let module = module.map_err(|reason| JsError::new(&reason))?;
    let Some(module) = module else {
        return answer(Outcome::OutOfMemory, &[], &[], 0);
    };
    let mut env: Vec<(String, String)> = env.into_iter().map(named).collect();
    env.sort();
    let order = Order {
        attempt: AttemptId(0),
        index: 0,
        spec: TaskSpec {
            args,
            env,
            stdin: Payload::Inline(stdin.into()),
            files: Files::None,
            artifacts: Vec::new(),
            limits,
            seed: None,
        },
    };
    let imports = calls::imports().map_err(|_| JsError::new("the host is not complete"))?;
    let report = run::run(&order, &module, Vec::new(), &imports, || ());
    let fault = |fault: Fault| JsError::new(fault.reason());
    let outcome = report.end.map_err(fault)?;
    answer(outcome, &report.stdout, &report.stderr, report.run_us)
}

/// `NAME=value`; without a `=` the value is empty.
fn named(mut variable: String) -> (String, String) {
    let at = variable.find('=').unwrap_or(variable.len());
    let value = variable.split_off(at);
    (
        variable,
        value.strip_prefix('=').unwrap_or_default().to_owned(),
    )
}

fn answer(outcome: Outcome, stdout: &[u8], stderr: &[u8], us: u64) -> Result<Object, JsError> {
    let (state, exit_code, reason) = match outcome {
        Outcome::Exited(0) => ("succeeded", Some(0), None),
        Outcome::Exited(code) => ("failed", Some(code), None),
        Outcome::Trapped { reason } => ("trapped", None, Some(reason)),
        Outcome::TimedOut => ("timed_out", None, None),
        Outcome::OutOfMemory => ("out_of_memory", None, None),
        Outcome::OutputExceeded { .. } => ("output_exceeded", None, None),
    };
    let object = Object::new();
    let set = |name: &str, value: JsValue| {
        let done = Reflect::set(&object, &name.into(), &value);
        done.map(drop)
            .map_err(|_| JsError::new("an object takes no value"))
    };
    set("state", state.into())?;
    set("exitCode", exit_code.into())?;
    set("reason", reason.into())?;
    set("stdout", Uint8Array::from(stdout).into())?;
    set("stderr", Uint8Array::from(stderr).into())?;
    set("ms", (us as f64 / 1_000.0).into())?;
    Ok(object)
}
