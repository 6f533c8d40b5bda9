//! The functions that guests import: those of `wasipool_wasi`, linked to
//! wasmtime.

use wasipool_wasi::{FromErrno, SliceMemory, for_each_import};
use wasmtime::{Caller, Extern, Linker};

use super::guest::Guest;

/// Gives guests all that they may import.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    macro_rules! link {
        ([] $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
            linker.func_wrap(
                "wasi_snapshot_preview1",
                stringify!($name),
                |mut caller: Caller<'_, Guest>, $($arg: $type),*| -> wasmtime::Result<$result> {
                    let (memory, guest) = split(&mut caller);
                    let answer = guest.host.$name(&mut SliceMemory(memory), $($arg),*);
                    guest.answer(answer).map(FromErrno::from_errno)
                },
            )?;
        )*};
    }
    for_each_import!(link);
    Ok(())
}

/// The guest's memory and its state. A guest without a memory has one of no
/// bytes: whatever points into it is out of bounds.
fn split<'a>(caller: &'a mut Caller<'_, Guest>) -> (&'a mut [u8], &'a mut Guest) {
    let memory = caller.data().memory.or_else(|| {
        let memory = caller.get_export("memory").and_then(Extern::into_memory);
        caller.data_mut().memory = memory;
        memory
    });
    match memory {
        Some(memory) => memory.data_and_store_mut(caller),
        None => (&mut [], caller.data_mut()),
    }
}
