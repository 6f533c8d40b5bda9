//! Memory that a guest's worker shares with the session's: when a guest has to
//! be ended from outside, what it wrote until then is here.

use js_sys::{Array, Float64Array, Int32Array, Object, Reflect, SharedArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::memory_limit::PAGE_LOG2;

/// Places in what a worker is given.
pub(crate) const CONTROL: u32 = 0;
/// Standard output.
pub(crate) const STDOUT: u32 = 1;
/// Standard error.
pub(crate) const STDERR: u32 = 2;

// The control block; `web/guest-glue.js` writes it.
const CONTROL_BYTES: u32 = 24;
/// Word: whether the guest has started.
const STARTED: u32 = 0;
/// Words: bytes written to stdout and stderr.
const WRITTEN: u32 = 1;
/// Word: pages of the guest's memory.
const PAGES: u32 = 3;
/// Byte at which a float says when, in milliseconds since 1970.
const START_BYTE: u32 = 16;
/// What an output's memory starts with; it grows up to the task's limit.
const OUTPUT_BYTES: u64 = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct SharedOutput {
    control: Int32Array,
    start: Float64Array,
    streams: [SharedArrayBuffer; 2],
    limit: u64,
}

impl SharedOutput {
    /// Memory for outputs of up to `limit` bytes; nothing where workers can't
    /// share any.
    pub(crate) fn new(limit: u64) -> Option<Self> {
        if !crate::js::isolated() {
            return None;
        }
        let control = SharedArrayBuffer::new(CONTROL_BYTES);
        let limit = limit.max(OUTPUT_BYTES);
        let streams = [growable(limit)?, growable(limit)?];
        let start = Float64Array::new_with_byte_offset_and_length(&control, START_BYTE, 1);
        Some(Self {
            control: Int32Array::new(&control),
            start,
            streams,
            limit,
        })
    }

    /// Whether it is as large as such a task needs, and hasn't grown so much
    /// that it should be kept.
    pub(crate) fn fits(&self, limit: u64) -> bool {
        let small = |stream: &SharedArrayBuffer| u64::from(stream.byte_length()) <= OUTPUT_BYTES;
        self.limit >= limit && self.streams.iter().all(small)
    }

    /// As a worker is given it.
    pub(crate) fn to_js(&self) -> Array {
        Array::of3(&self.control, &self.streams[0], &self.streams[1])
    }

    /// Forgets what the last guest left. No guest may run.
    pub(crate) fn reset(&self) {
        self.control.fill(0, 0, 4);
    }

    /// When the guest has started, in microseconds since 1970.
    pub(crate) fn started_us(&self) -> Option<f64> {
        let started = js_sys::Atomics::load(&self.control, STARTED).ok()? == 1;
        started.then(|| self.start.get_index(0) * 1_000.0)
    }

    /// The guest's memory now, in bytes; nothing before it has started.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.started_us()?;
        let pages = js_sys::Atomics::load(&self.control, PAGES).ok()?;
        Some(u64::from(pages.cast_unsigned()) << PAGE_LOG2)
    }

    /// What the guest has written to stdout and stderr so far.
    pub(crate) fn written(&self) -> [Vec<u8>; 2] {
        [0, 1].map(|stream: u32| {
            let written = js_sys::Atomics::load(&self.control, WRITTEN + stream).unwrap_or(0);
            let view = Uint8Array::new(&self.streams[stream as usize]);
            view.subarray(0, u32::try_from(written).unwrap_or(0))
                .to_vec()
        })
    }
}

fn growable(limit: u64) -> Option<SharedArrayBuffer> {
    let options = Object::new();
    Reflect::set(&options, &"maxByteLength".into(), &(limit as f64).into()).ok()?;
    let constructor = Reflect::get(&js_sys::global(), &"SharedArrayBuffer".into()).ok()?;
    let arguments = Array::of2(&(OUTPUT_BYTES as f64).into(), &options);
    let buffer =
        Reflect::construct::<fn() -> JsValue>(constructor.unchecked_ref(), &arguments).ok()?;
    let growable = Reflect::get(&buffer, &"growable".into()).ok()?.is_truthy();
    growable.then(|| buffer.unchecked_into())
}
