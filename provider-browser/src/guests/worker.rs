//! One worker in which guests run.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Uint8Array, WebAssembly};
use wasipool_shared::wire::frame::{decode_one, encode_one};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::shared::SharedOutput;
use crate::js::message;
use crate::order::{FromGuest, Order, ToGuest};

/// Where its code is, seen from the session's worker.
const SCRIPT: &str = "guest-worker.js";

/// A worker; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct GuestWorker {
    worker: Worker,
    shared: Option<SharedOutput>,
    /// What came beside its last message.
    beside: Rc<RefCell<Option<JsValue>>>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl GuestWorker {
    /// Starts one. `tell` gets what it says, or why it failed.
    pub(crate) fn spawn(
        tell: impl Fn(Result<FromGuest, String>) + Clone + 'static,
    ) -> Result<Self, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let say = |error: JsValue| message(&error);
        let worker = Worker::new_with_options(SCRIPT, &options).map_err(say)?;
        let hear = tell.clone();
        let beside = Rc::new(RefCell::new(None));
        let came = Rc::clone(&beside);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let bytes = match event.data().dyn_into::<Array>() {
                Ok(both) => {
                    came.replace(Some(both.get(1)));
                    both.get(0)
                }
                Err(bytes) => bytes,
            };
            let bytes = bytes.unchecked_into::<Uint8Array>().to_vec();
            hear(decode_one(&bytes).map_err(|error| error.to_string()));
        });
        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |event: ErrorEvent| {
            event.prevent_default();
            // A script that can't be loaded gives an event without a message.
            let text = js_sys::Reflect::get(&event, &"message".into()).ok();
            let text = text.and_then(|text| text.as_string());
            tell(Err(
                text.unwrap_or_else(|| format!("{SCRIPT} could not be loaded"))
            ));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        worker.post_message(&wasm_bindgen::module()).map_err(say)?;
        Ok(Self {
            worker,
            shared: None,
            beside,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    /// Asks for its speed.
    pub(crate) fn benchmark(&self) -> Result<(), String> {
        self.post(&ToGuest::Benchmark, &Array::new())
    }

    /// Asks for a module, compiled with its memory limited.
    pub(crate) fn compile(&self, module: &Uint8Array, limit: u64) -> Result<(), String> {
        self.post(&ToGuest::Compile(limit), &Array::of1(module))
    }

    /// What came beside its last message, once.
    pub(crate) fn take_beside(&self) -> Option<JsValue> {
        self.beside.take()
    }

    /// Lets it run a guest.
    pub(crate) fn run(
        &mut self,
        order: Order,
        module: &WebAssembly::Module,
        blobs: &Array,
    ) -> Result<(), String> {
        let limit = order.spec.limits.output_bytes;
        let beside = Array::of2(module, blobs);
        match &self.shared {
            Some(shared) if shared.fits(limit) => shared.reset(),
            Some(_) | None => {
                self.shared = SharedOutput::new(limit);
                if let Some(shared) = &self.shared {
                    beside.push(&shared.to_js());
                }
            }
        }
        self.post(&ToGuest::Run(Box::new(order)), &beside)
    }

    /// When its guest has started, in microseconds since 1970, as far as this
    /// can be seen from here.
    pub(crate) fn started_us(&self) -> Option<f64> {
        self.shared.as_ref()?.started_us()
    }

    /// The memory that its guest has, in bytes, as far as this can be seen from
    /// here.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.shared.as_ref()?.memory_bytes()
    }

    /// What its guest has written to stdout and stderr, as far as this can be
    /// seen from here.
    pub(crate) fn written(&self) -> [Vec<u8>; 2] {
        self.shared
            .as_ref()
            .map(SharedOutput::written)
            .unwrap_or_default()
    }

    fn post(&self, order: &ToGuest, beside: &Array) -> Result<(), String> {
        let bytes = encode_one(order).map_err(|error| error.to_string())?;
        beside.unshift(&Uint8Array::from(bytes.as_slice()));
        self.worker
            .post_message(beside)
            .map_err(|error| message(&error))
    }
}

impl Drop for GuestWorker {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
