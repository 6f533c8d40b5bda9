//! Modules, changed for a limit of memory and compiled, once for each limit.

use js_sys::{Uint8Array, WebAssembly};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasipool_shared::task::Fault;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::js::message;
use crate::memory_limit::{Limited, limit_memory};

/// Bytes of modules whose compiled form is kept: that is several times larger.
const COMPILED_BYTES: u64 = 64 * MIB;

/// A module for a limit of memory, in bytes.
pub(crate) type ModuleKey = (Digest, u64);

/// What a module became.
#[derive(Debug, Clone)]
pub(crate) enum Compiled {
    /// It can be run.
    Module(WebAssembly::Module),
    /// It wants more memory from the start than it may have.
    TooLarge,
}

/// Compiled modules.
pub(crate) type Modules = Lru<ModuleKey, Compiled>;

/// No modules yet.
pub(crate) fn new() -> Modules {
    Lru::new(COMPILED_BYTES)
}

/// Changes and compiles a module.
pub(crate) async fn compile(bytes: Uint8Array, limit: u64) -> Result<Compiled, Fault> {
    let limited = limit_memory(&bytes.to_vec(), limit);
    let limited = limited.map_err(|error| Fault::Module(error.to_string()))?;
    let wasm = match limited {
        Limited::Module(wasm) => Uint8Array::from(wasm.as_slice()),
        Limited::TooLarge => return Ok(Compiled::TooLarge),
    };
    let compiled = JsFuture::from(WebAssembly::compile(&wasm)).await;
    match compiled {
        Ok(module) => Ok(Compiled::Module(module.unchecked_into())),
        Err(error) => Err(Fault::Module(message(&error))),
    }
}
