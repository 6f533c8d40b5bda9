//! Modules, changed for a limit of memory and compiled, once for each limit.

use js_sys::{Uint8Array, WebAssembly};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::lru::Lru;
use wasipool_shared::task::Fault;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::guests::worker::GuestWorker;
use crate::js::message;
use crate::mailbox::Mailbox;
use crate::memory_limit::{Limited, limit_memory};
use crate::order::{Fit, FromGuest};

/// Bytes of modules whose compiled form is kept: that is several times larger.
const COMPILED_BYTES: u64 = 64 * MIB;
/// A larger module isn't compiled in the session's worker: that would keep all
/// other tasks waiting. This much takes some ten milliseconds.
const HERE_BYTES_MAX: u32 = 512 * 1024;

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
    if bytes.length() > HERE_BYTES_MAX {
        return compile_elsewhere(&bytes, limit).await;
    }
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

/// The same in a worker of its own, which ends with it: so does the memory that
/// it took. Meanwhile this one goes on with all other tasks.
async fn compile_elsewhere(bytes: &Uint8Array, limit: u64) -> Result<Compiled, Fault> {
    let answers = Mailbox::default();
    let tell = answers.clone();
    let worker = GuestWorker::spawn(move |answer| tell.post(answer)).map_err(Fault::Internal)?;
    loop {
        match answers.take().await.map_err(Fault::Internal)? {
            FromGuest::Ready => worker.compile(bytes, limit).map_err(Fault::Internal)?,
            FromGuest::Compiled(Ok(Fit::TooLarge)) => return Ok(Compiled::TooLarge),
            FromGuest::Compiled(Err(reason)) => return Err(Fault::Module(reason)),
            FromGuest::Compiled(Ok(Fit::Fits)) => {
                let module = worker.take_beside().map(JsCast::unchecked_into);
                let lost = || Fault::Internal("a compiled module was lost".to_owned());
                return module.map(Compiled::Module).ok_or_else(lost);
            }
            FromGuest::Started(_) | FromGuest::Report(_) | FromGuest::Speed(_) => {}
        }
    }
}
