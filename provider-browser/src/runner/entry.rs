//! Where a worker with a guest starts: messages in, messages out.

use core::cell::RefCell;

use bytes::Bytes;
use js_sys::{Array, Int32Array, Object, Uint8Array, WebAssembly};
use wasipool_shared::ids::AttemptId;
use wasipool_shared::task::Fault;
use wasipool_shared::wire::frame::{decode_one, encode_one};
use wasm_bindgen::prelude::*;
use web_sys::MessageEvent;

use super::{benchmark, glue, run};
use crate::guests::shared;
use crate::js::{self, isolated, message, scope};
use crate::memory_limit::{Limited, limit_memory};
use crate::order::{Fit, FromGuest, Order, Report, ToGuest};

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What the host said when it panicked, once. The guest only sees a trap.
pub(super) fn take_panic() -> Option<String> {
    PANIC.take()
}

/// Takes orders from now on.
///
/// # Errors
/// If the browser lacks something that a guest needs.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "wasm-bindgen exports only what is public")]
pub fn guest_main() -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|info| PANIC.set(Some(info.to_string()))));
    let imports = super::calls::imports()?;
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let parts: Array = event.data().unchecked_into();
        take(&parts, &imports);
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&FromGuest::Ready);
    Ok(())
}

/// A message is `[bytes, module, blobs, shared]`; the last two only come with a
/// run, and the very last only where there is something new.
fn take(parts: &Array, imports: &Object) {
    let bytes = parts.get(0).unchecked_into::<Uint8Array>().to_vec();
    match decode_one(&bytes) {
        Ok(ToGuest::Run(order)) => {
            if let Ok(memory) = parts.get(3).dyn_into::<Array>() {
                use_shared(&memory);
            }
            post(&FromGuest::Report(Box::new(obey(&order, parts, imports))));
        }
        Ok(ToGuest::Compile(limit)) => compile(&parts.get(1).unchecked_into(), limit),
        Ok(ToGuest::Benchmark) => post(&FromGuest::Speed(benchmark::run())),
        // Both ends are of one build. Whoever waits for an answer gives up when
        // the worker fails.
        Err(error) => wasm_bindgen::throw_str(&error.to_string()),
    }
}

fn compile(bytes: &Uint8Array, limit: u64) {
    let (fit, module) = match limited(bytes, limit) {
        Ok(Some(module)) => (Ok(Fit::Fits), module.into()),
        Ok(None) => (Ok(Fit::TooLarge), JsValue::UNDEFINED),
        Err(reason) => (Err(reason), JsValue::UNDEFINED),
    };
    let both = Array::of2(&encoded(&FromGuest::Compiled(fit)), &module);
    if let Err(error) = scope().post_message(&both) {
        wasm_bindgen::throw_val(error);
    }
}

/// A compiled module with its memory limited; nothing if it wants more.
pub(super) fn limited(
    bytes: &Uint8Array,
    limit: u64,
) -> Result<Option<WebAssembly::Module>, String> {
    let limited = limit_memory(&bytes.to_vec(), limit).map_err(|error| error.to_string())?;
    let Limited::Module(wasm) = limited else {
        return Ok(None);
    };
    let module = WebAssembly::Module::new(&Uint8Array::from(wasm.as_slice()));
    module.map(Some).map_err(|error| message(&error))
}

fn use_shared(memory: &Array) {
    let control = memory.get(shared::CONTROL).unchecked_into::<Int32Array>();
    let stdout = memory.get(shared::STDOUT).unchecked_into();
    let stderr = memory.get(shared::STDERR).unchecked_into();
    glue::share(&control, &stdout, &stderr);
}

fn obey(order: &Order, parts: &Array, imports: &Object) -> Report {
    let module = match parts.get(1).dyn_into::<WebAssembly::Module>() {
        Ok(module) => module,
        Err(other) => {
            return Report {
                attempt: order.attempt,
                end: Err(Fault::Internal(format!(
                    "not a module: {}",
                    message(&other)
                ))),
                stdout: Bytes::new(),
                stderr: Bytes::new(),
                artifacts: Vec::new(),
                run_us: 0,
                reusable: true,
            };
        }
    };
    let blobs = parts.get(2).unchecked_into::<Array>();
    let blobs = blobs
        .iter()
        .map(|blob| blob.unchecked_into::<Uint8Array>().to_vec().into());
    let blobs = blobs.collect();
    run::run(order, &module, blobs, imports, || announce(order.attempt))
}

fn announce(attempt: AttemptId) {
    if !isolated() {
        post(&FromGuest::Started(attempt));
    }
}

fn encoded(message: &FromGuest) -> Uint8Array {
    let bytes =
        encode_one(message).unwrap_or_else(|error| wasm_bindgen::throw_str(&error.to_string()));
    Uint8Array::from(bytes.as_slice())
}

fn post(message: &FromGuest) {
    let bytes = encoded(message);
    if let Err(error) = scope().post_message_with_transfer(&bytes, &js::transfer_list(&bytes)) {
        wasm_bindgen::throw_val(error);
    }
}
