//! One guest from its instance to its outcome.

use bytes::Bytes;
use js_sys::{Function, Object, Reflect, WebAssembly};
use wasipool_shared::artifact::Patterns;
use wasipool_shared::limits::GUEST_FILES_BYTES_MAX;
use wasipool_shared::task::{Fault, Outcome, TaskLimits, trap};
use wasipool_wasi::task::{Archives, Inputs, artifacts};
use wasipool_wasi::{Config, Host, Outputs};
use wasm_bindgen::prelude::*;

use super::outcome::outcome;
use super::world::TabWorld;
use super::{calls, entry, glue};
use crate::js::{monotonic_us, unix_us};
use crate::memory_limit::DENIED_EXPORT;
use crate::order::{Order, Report};
use crate::trap::{Thrown, reason, word};

/// How the call of the guest came back.
struct Ended {
    result: Result<Outcome, Fault>,
    run_us: u64,
    reusable: bool,
    /// See [`DENIED_EXPORT`].
    denied: f64,
}

impl Ended {
    fn new(result: Result<Outcome, Fault>, run_us: u64, reusable: bool) -> Self {
        Self {
            result,
            run_us,
            reusable,
            denied: 0.0,
        }
    }

    fn before_start(fault: Fault) -> Self {
        Self::new(Err(fault), 0, true)
    }
}

/// Runs a guest. `announce` is called right before its first instruction.
pub(super) fn run(
    order: &Order,
    module: &WebAssembly::Module,
    blobs: Vec<Bytes>,
    imports: &Object,
    announce: impl FnOnce(),
) -> Report {
    let mut report = Report {
        attempt: order.attempt,
        end: Err(Fault::Internal(String::new())),
        stdout: Bytes::new(),
        stderr: Bytes::new(),
        artifacts: Vec::new(),
        run_us: 0,
        reusable: true,
    };
    let (host, patterns) = match prepare(order, blobs) {
        Ok(prepared) => prepared,
        Err(fault) => {
            return Report {
                end: Err(fault),
                ..report
            };
        }
    };
    calls::begin(host);
    let ended = call(module, imports, announce);
    glue::attach(&JsValue::UNDEFINED);
    let Some((host, halt)) = calls::end() else {
        let fault = Fault::Internal("the guest's host is gone".to_owned());
        return Report {
            end: Err(fault),
            reusable: false,
            ..report
        };
    };
    let Ended {
        result,
        run_us,
        denied,
        ..
    } = ended;
    report.end = outcome(result, halt, denied, run_us, &order.spec.limits);
    report.run_us = run_us;
    report.reusable = ended.reusable;
    let outputs = host.into_outputs();
    finish(report, outputs, &patterns, &order.spec.limits)
}

fn prepare(order: &Order, blobs: Vec<Bytes>) -> Result<(Host<TabWorld>, Patterns), Fault> {
    let spec = &order.spec;
    let patterns =
        Patterns::new(&spec.artifacts).map_err(|error| Fault::Internal(error.to_string()))?;
    let mut blobs = blobs.into_iter();
    let inputs = Inputs::new(spec, &mut Archives::default(), |_| {
        let missing = || Fault::Internal("a blob did not come with its task".to_owned());
        blobs.next().ok_or_else(missing)
    })?;
    let config = Config {
        args: spec.args.clone(),
        env: spec.env.clone(),
        stdin: inputs.stdin,
        files: inputs.files,
        output_limit: spec.limits.output_bytes,
        fs_limit: GUEST_FILES_BYTES_MAX,
    };
    let world = TabWorld::new(spec.seed, order.index);
    let host = Host::new(config, world).map_err(|error| Fault::Files(error.to_string()))?;
    Ok((host, patterns))
}

fn call(module: &WebAssembly::Module, imports: &Object, announce: impl FnOnce()) -> Ended {
    let instance = match WebAssembly::Instance::new(module, imports) {
        Ok(instance) => instance,
        Err(error) => return not_instantiated(&error),
    };
    let exports = instance.exports();
    let export = |name: &str| Reflect::get(&exports, &name.into());
    let Some(start) = export("_start")
        .ok()
        .and_then(|start| start.dyn_into::<Function>().ok())
    else {
        return Ended::before_start(Fault::Module("no function _start is exported".to_owned()));
    };
    glue::attach(&export("memory").unwrap_or_default());
    calls::watch_memory(&exports);
    announce();
    glue::started(unix_us() / 1_000.0);
    let start_us = monotonic_us();
    let returned = start.call0(&JsValue::UNDEFINED);
    let run_us = (monotonic_us() - start_us) as u64;
    let ended = match returned {
        Ok(_) => Ended::new(Ok(Outcome::Exited(0)), run_us, true),
        Err(error) => threw(&error, run_us),
    };
    Ended {
        denied: glue::global(&instance, DENIED_EXPORT),
        ..ended
    }
}

/// The engine took the module when it was compiled, yet doesn't run it.
fn not_instantiated(error: &JsValue) -> Ended {
    let thrown = thrown(error);
    match thrown.name.as_str() {
        "LinkError" | "TypeError" => Ended::before_start(Fault::Module(thrown.message)),
        "RangeError" if word(&thrown) != trap::STACK => {
            let fault = Fault::Internal(format!("no memory for the guest: {}", thrown.message));
            Ended {
                reusable: false,
                ..Ended::before_start(fault)
            }
        }
        _ => {
            let reason = reason(&thrown);
            Ended::new(Ok(Outcome::Trapped { reason }), 0, true)
        }
    }
}

/// A trap of the guest's, or a defect of the host's.
fn threw(error: &JsValue, run_us: u64) -> Ended {
    if let Some(panic) = entry::take_panic() {
        return Ended::new(Err(Fault::Internal(panic)), run_us, false);
    }
    let thrown = thrown(error);
    // The stack may have ended inside of a call: what the host was about to do
    // then is half done.
    let reusable = word(&thrown) != trap::STACK;
    Ended::new(
        Ok(Outcome::Trapped {
            reason: reason(&thrown),
        }),
        run_us,
        reusable,
    )
}

fn thrown(error: &JsValue) -> Thrown {
    let parts = glue::thrown(error);
    let part = |index| parts.get(index).as_string().unwrap_or_default();
    Thrown {
        name: part(0),
        message: part(1),
        stack: part(2),
    }
}

/// Adds what the guest left behind.
fn finish(
    mut report: Report,
    mut outputs: Outputs,
    patterns: &Patterns,
    limits: &TaskLimits,
) -> Report {
    report.stdout = outputs.stdout;
    report.stderr = outputs.stderr;
    if matches!(report.end, Ok(Outcome::Exited(_))) {
        match artifacts(&mut outputs.fs, patterns, limits) {
            Ok(artifacts) => report.artifacts = artifacts,
            Err(what) => report.end = Ok(Outcome::OutputExceeded { what }),
        }
    }
    report
}
