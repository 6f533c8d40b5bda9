//! Small things that every worker needs of JavaScript.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::DedicatedWorkerGlobalScope;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_namespace = performance, js_name = timeOrigin)]
    static TIME_ORIGIN_MS: f64;

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn now_ms() -> f64;

    #[wasm_bindgen(thread_local_v2, js_name = crossOriginIsolated)]
    static ISOLATED: Option<bool>;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, ms: f64) -> i32;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: i32);
}

/// Microseconds of a clock that only goes forward.
pub(crate) fn monotonic_us() -> f64 {
    now_ms() * 1_000.0
}

/// Microseconds since 1970, the same in all workers.
pub(crate) fn unix_us() -> f64 {
    (TIME_ORIGIN_MS.with(|origin| *origin) + now_ms()) * 1_000.0
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    (unix_us() / 1_000.0) as u64
}

/// Whether workers may share memory.
pub(crate) fn isolated() -> bool {
    ISOLATED.with(|isolated| isolated.unwrap_or(false))
}

/// Whether this browser has something of that name.
pub(crate) fn has(name: &str) -> bool {
    Reflect::has(&js_sys::global(), &name.into()).unwrap_or(false)
}

/// This worker.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// What an error says.
pub(crate) fn message(error: &JsValue) -> String {
    let text = |value: JsValue| value.as_string().filter(|text| !text.is_empty());
    let of = |name| Reflect::get(error, &name).ok().and_then(text);
    of(JsValue::from("message"))
        .or_else(|| of(JsValue::from("name")))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "unknown error".to_owned())
}

/// A timer that ends with its value.
#[derive(Debug)]
pub(crate) struct Timer {
    id: i32,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    /// Calls this once after so many milliseconds.
    pub(crate) fn after(ms: f64, callback: impl FnMut() + 'static) -> Self {
        let callback = Closure::<dyn FnMut()>::new(callback);
        // More doesn't fit what browsers count with.
        let ms = ms.clamp(0.0, f64::from(i32::MAX));
        let id = set_timeout(callback.as_ref().unchecked_ref(), ms);
        Self {
            id,
            _callback: callback,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(self.id);
    }
}

/// Waits.
pub(crate) async fn sleep(ms: u32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, ms.into());
    });
    // A timer's promise doesn't fail.
    drop(JsFuture::from(promise).await);
}

/// A promise that is kept after a while.
pub(crate) fn timer(ms: u32) -> Promise {
    future_to_promise(async move {
        sleep(ms).await;
        Ok(JsValue::UNDEFINED)
    })
}

/// A promise's value, if it comes in time.
pub(crate) async fn in_time(promise: Promise, ms: u32) -> Result<JsValue, JsValue> {
    let late = future_to_promise(async move {
        sleep(ms).await;
        Err(js_sys::Error::new(&format!("no answer within {} s", ms / 1_000)).into())
    });
    JsFuture::from(Promise::race(&js_sys::Array::of2(&promise, &late))).await
}

/// Posts bytes to whoever listens; they are moved, not copied.
pub(crate) fn transfer_list(bytes: &Uint8Array) -> js_sys::Array {
    js_sys::Array::of1(&bytes.buffer())
}
