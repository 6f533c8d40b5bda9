//! The few functions that only JavaScript can be: see `web/guest-glue.js`,
//! which puts them in the worker's global scope.

use js_sys::{Int32Array, SharedArrayBuffer, WebAssembly};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Lets the guest's memory be that of the functions below.
    #[wasm_bindgen(js_name = wasipoolAttach)]
    pub(super) fn attach(guest: &JsValue);

    /// Copies from the guest's memory into this module's; false if that is
    /// out of bounds.
    #[wasm_bindgen(js_name = wasipoolRead)]
    pub(super) fn read(address: u32, into: *mut u8, length: usize) -> bool;

    /// Copies from this module's memory into the guest's; false if that is
    /// out of bounds.
    #[wasm_bindgen(js_name = wasipoolWrite)]
    pub(super) fn write(address: u32, from: *const u8, length: usize) -> bool;

    /// Bytes of the guest's memory now.
    #[wasm_bindgen(js_name = wasipoolSize)]
    pub(super) fn size() -> f64;

    /// Throws what unwinds the guest. Never returns.
    #[wasm_bindgen(js_name = wasipoolHalt)]
    pub(super) fn halt();

    /// Sleeps; false where that isn't possible.
    #[wasm_bindgen(js_name = wasipoolSleep)]
    pub(super) fn sleep(ms: f64) -> bool;

    /// Takes the memory in which the session's worker sees what a guest does.
    #[wasm_bindgen(js_name = wasipoolShare)]
    pub(super) fn share(
        control: &Int32Array,
        stdout: &SharedArrayBuffer,
        stderr: &SharedArrayBuffer,
    );

    /// Tells there that the guest starts now.
    #[wasm_bindgen(js_name = wasipoolStarted)]
    pub(super) fn started(since_1970_ms: f64);

    /// Tells there how many pages the guest's memory has now.
    #[wasm_bindgen(js_name = wasipoolGrown)]
    pub(super) fn grown(pages: f64);

    /// Puts there what the guest has written.
    #[wasm_bindgen(js_name = wasipoolWritten)]
    pub(super) fn written(stream: u32, from: *const u8, length: usize);

    /// Class, message and stack of what was thrown.
    #[wasm_bindgen(js_name = wasipoolThrown)]
    pub(super) fn thrown(error: &JsValue) -> js_sys::Array;

    /// The value of an exported global, as a number; 0 if there is none.
    #[wasm_bindgen(js_name = wasipoolGlobal)]
    pub(super) fn global(instance: &WebAssembly::Instance, name: &str) -> f64;

    /// Random bytes, at most 65,536.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub(super) fn random(into: &mut [u8]);
}
