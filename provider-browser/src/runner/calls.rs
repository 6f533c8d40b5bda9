//! The guest's imports.
//!
//! Each is exported from this module as it is and given to the guest directly:
//! a call goes from wasm to wasm. The guest's memory is another one, so what a
//! call reads or writes is copied by [`glue`].

use core::cell::RefCell;

use js_sys::WebAssembly::Table;
use js_sys::{Object, Reflect};
use wasipool_wasi::for_each_import;
use wasipool_wasi::types::{Errno, Stream};
use wasipool_wasi::{FromErrno, GuestMemory, Halt, Host, OutOfBounds};
use wasm_bindgen::prelude::*;

use super::glue;
use super::world::TabWorld;
use crate::memory_limit::GROWN_EXPORT;

/// The name in front of each import among the exports of this module.
const PREFIX: &str = "wasi_";

/// The guest that runs in this worker.
#[derive(Debug)]
struct Guest {
    host: Host<TabWorld>,
    /// Why it has to end; once set, every further call throws again.
    halt: Option<Halt>,
    /// Bytes of stdout and stderr that the other end can see.
    seen: [usize; 2],
}

thread_local! {
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
}

/// Lets calls be answered by this host.
pub(super) fn begin(host: Host<TabWorld>) {
    GUEST.set(Some(Guest {
        host,
        halt: None,
        seen: [0; 2],
    }));
}

/// Takes the host back, and why the guest had to end, if it had to.
pub(super) fn end() -> Option<(Host<TabWorld>, Option<Halt>)> {
    GUEST.take().map(|guest| (guest.host, guest.halt))
}

/// The object with all imports that guests are instantiated with.
pub(super) fn imports() -> Result<Object, JsValue> {
    let exports = wasm_bindgen::exports();
    let preview1 = Object::new();
    macro_rules! import {
        ([] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
            let export = concat!("wasi_", stringify!($name));
            debug_assert!(export.starts_with(PREFIX), "the exports' prefix");
            let function = Reflect::get(&exports, &export.into())?;
            Reflect::set(&preview1, &stringify!($name).into(), &function)?;
        )*};
    }
    for_each_import!(import);
    let imports = Object::new();
    Reflect::set(&imports, &"wasi_snapshot_preview1".into(), &preview1)?;
    Ok(imports)
}

/// Told by a guest that [`GROWN_EXPORT`] was given this: its memory has so many
/// pages now. It may be anywhere in its own code, but not in a call of the host.
#[expect(unsafe_code, reason = "the guest calls it directly")]
// SAFETY: no other symbol has this name.
#[unsafe(export_name = "guest_grown")]
extern "C" fn grown(pages: i64) {
    glue::grown(pages as f64);
}

/// Lets the guest tell when its memory grows.
pub(super) fn watch_memory(exports: &JsValue) {
    let table = Reflect::get(exports, &GROWN_EXPORT.into());
    let tell = Reflect::get(&wasm_bindgen::exports(), &"guest_grown".into());
    if let (Ok(table), Ok(tell)) = (table, tell)
        && let Ok(table) = table.dyn_into::<Table>()
    {
        // Without it less is shown; nothing else depends on it.
        drop(table.set(0, &tell.unchecked_into()));
    }
}

/// The memory that [`glue::attach`] was given last.
struct AttachedMemory;

impl GuestMemory for AttachedMemory {
    fn size(&self) -> u64 {
        glue::size() as u64
    }

    fn read(&self, address: u32, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let inside = glue::read(address, into.as_mut_ptr(), into.len());
        if inside { Ok(()) } else { Err(OutOfBounds) }
    }

    fn write(&mut self, address: u32, from: &[u8]) -> Result<(), OutOfBounds> {
        let inside = glue::write(address, from.as_ptr(), from.len());
        if inside { Ok(()) } else { Err(OutOfBounds) }
    }
}

type Call<'a> = &'a mut dyn FnMut(&mut Host<TabWorld>, &mut AttachedMemory) -> Result<Errno, Halt>;

/// Answers a call; nothing if the guest has to end. When this returns, nothing
/// of the host is borrowed and nothing is left on this module's stack: what is
/// thrown then leaves no trace.
#[inline(never)]
fn answer(call: Call<'_>) -> Option<Errno> {
    GUEST.with_borrow_mut(|guest| {
        let guest = guest.as_mut()?;
        if guest.halt.is_some() {
            return None;
        }
        let answer = call(&mut guest.host, &mut AttachedMemory);
        guest.show_output();
        answer.map_err(|halt| guest.halt = Some(halt)).ok()
    })
}

impl Guest {
    /// Lets the other end see what has been written, should it have to end the
    /// guest.
    fn show_output(&mut self) {
        let streams = [(0, Stream::Stdout), (1, Stream::Stderr)];
        for ((index, stream), seen) in streams.into_iter().zip(&mut self.seen) {
            let output = self.host.output(stream);
            if let Some(new) = output.get(*seen..)
                && !new.is_empty()
            {
                glue::written(index, new.as_ptr(), new.len());
                *seen = output.len();
            }
        }
    }
}

macro_rules! export {
    ([] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
        #[expect(unsafe_code, reason = "the guest imports it by this name")]
        // SAFETY: no other symbol starts with `wasi_`.
        #[unsafe(export_name = concat!("wasi_", stringify!($name)))]
        extern "C" fn $name($($arg: $ty),*) -> $ret {
            match answer(&mut |host, memory| host.$name(memory, $($arg),*)) {
                Some(errno) => FromErrno::from_errno(errno),
                None => {
                    glue::halt();
                    FromErrno::from_errno(Errno::Success)
                }
            }
        }
    )*};
}
for_each_import!(export);
