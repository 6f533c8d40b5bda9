//! The functions that guests import: those of wasmtime-wasi, called without
//! its asynchronous runtime, and a few that differ from them:
//!
//! - `proc_exit` takes any code, not only those below 126.
//! - `random_get` reads from the seed of a seeded task.
//! - `poll_oneoff` can be interrupted: see [`poll`](super::poll).
//! - `fd_readdir` lists in the order of names: see [`readdir`](super::readdir).
//! - What takes room for files is counted.

use std::pin::pin;

use wasmtime::{AsContextMut as _, Caller, Extern, Linker};
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as p1, WasiSnapshotPreview1 as _};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::runtime::{in_tokio, poll_noop};
use wiggle::GuestMemory;

use super::guest::{Exit, Guest};
use super::limits::FILE_COST_BYTES;
use super::{poll, readdir};

/// What WASI preview 1 calls itself.
const WASI: &str = "wasi_snapshot_preview1";

/// WASI's `errno` values that are needed here.
pub(super) mod errno {
    pub(in crate::sandbox) const SUCCESS: i32 = 0;
    pub(in crate::sandbox) const FAULT: i32 = 21;
    pub(in crate::sandbox) const INVAL: i32 = 28;
    pub(in crate::sandbox) const NOSPC: i32 = 51;
}

/// Waits for a call of wasmtime-wasi. On a thread that may block nothing it
/// does is ever pending; should it be, its runtime takes over.
pub(super) fn finish<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    match poll_noop(call.as_mut()) {
        Some(done) => done,
        None => in_tokio(call),
    }
}

/// Forwards functions to wasmtime-wasi.
macro_rules! forward {
    ($linker:ident, $($name:ident($($arg:ident: $type:ty),*);)*) => {$(
        $linker.func_wrap(
            WASI,
            stringify!($name),
            |mut caller: Caller<'_, Guest>, $($arg: $type),*| -> wasmtime::Result<i32> {
                let (memory, guest) = memory_and_guest(&mut caller)?;
                finish(p1::$name(guest, &mut GuestMemory::Unshared(memory), $($arg),*))
            },
        )?;
    )*};
}

/// The same, for functions that take room for files.
macro_rules! forward_counted {
    ($linker:ident, $($name:ident($($arg:ident: $type:ty),*) takes $bytes:expr;)*) => {$(
        $linker.func_wrap(
            WASI,
            stringify!($name),
            |mut caller: Caller<'_, Guest>, $($arg: $type),*| -> wasmtime::Result<i32> {
                let bytes: fn(&[u8], $($type),*) -> u64 = $bytes;
                let bytes = bytes(memory_of(&mut caller)?, $($arg),*);
                if bytes > 0 && !caller.data_mut().room.take(bytes) {
                    return Ok(errno::NOSPC);
                }
                let (memory, guest) = memory_and_guest(&mut caller)?;
                finish(p1::$name(guest, &mut GuestMemory::Unshared(memory), $($arg),*))
            },
        )?;
    )*};
}

/// Gives guests all that they may import.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    add_to_linker_sync(linker, Guest::wasi)?;
    forward! { linker,
        fd_advise(fd: i32, offset: i64, length: i64, advice: i32);
        fd_close(fd: i32);
        fd_datasync(fd: i32);
        fd_fdstat_get(fd: i32, stat: i32);
        fd_filestat_get(fd: i32, stat: i32);
        fd_filestat_set_size(fd: i32, size: i64);
        fd_filestat_set_times(fd: i32, accessed: i64, modified: i64, flags: i32);
        fd_read(fd: i32, buffers: i32, count: i32, read: i32);
        fd_pread(fd: i32, buffers: i32, count: i32, offset: i64, read: i32);
        fd_seek(fd: i32, offset: i64, whence: i32, position: i32);
        fd_sync(fd: i32);
        fd_renumber(from: i32, to: i32);
        path_filestat_get(fd: i32, flags: i32, path: i32, length: i32, stat: i32);
        path_filestat_set_times(
            fd: i32, flags: i32, path: i32, length: i32, accessed: i64, modified: i64, which: i32
        );
        path_readlink(fd: i32, path: i32, length: i32, buffer: i32, size: i32, used: i32);
        path_remove_directory(fd: i32, path: i32, length: i32);
        path_rename(from: i32, path: i32, length: i32, to: i32, new: i32, new_length: i32);
        path_unlink_file(fd: i32, path: i32, length: i32);
    }
    forward_counted! { linker,
        fd_write(fd: i32, buffers: i32, count: i32, written: i32)
            takes |memory, fd, buffers, count, _| bytes_to_write(memory, fd, buffers, count);
        fd_pwrite(fd: i32, buffers: i32, count: i32, offset: i64, written: i32)
            takes |memory, fd, buffers, count, _, _| bytes_to_write(memory, fd, buffers, count);
        path_open(
            fd: i32, follow: i32, path: i32, length: i32, how: i32, rights: i64, inherited: i64,
            flags: i32, opened: i32
        )
            takes |_, _, _, _, _, how, _, _, _, _| if how & CREATE == 0 { 0 } else { FILE_COST_BYTES };
        path_create_directory(fd: i32, path: i32, length: i32)
            takes |_, _, _, _| FILE_COST_BYTES;
        path_link(from: i32, flags: i32, path: i32, length: i32, to: i32, new: i32, new_length: i32)
            takes |_, _, _, _, _, _, _, _| FILE_COST_BYTES;
        path_symlink(target: i32, target_length: i32, fd: i32, path: i32, length: i32)
            takes |_, _, _, _, _, _| FILE_COST_BYTES;
    }
    linker.func_wrap(WASI, "proc_exit", |code: i32| -> wasmtime::Result<()> {
        Err(Exit(code.cast_unsigned()).into())
    })?;
    linker.func_wrap(WASI, "random_get", random_get)?;
    linker.func_wrap(WASI, "poll_oneoff", poll::poll_oneoff)?;
    linker.func_wrap(WASI, "fd_readdir", readdir::fd_readdir)?;
    Ok(())
}

/// `path_open`'s flag for a file that is made if it isn't there.
const CREATE: i32 = 1;
/// Standard input, output and error: what goes there isn't kept in files. A
/// guest that renumbers them is counted a little wrongly, to its disadvantage
/// at most as far as its limit of output.
const STANDARD: std::ops::RangeInclusive<i32> = 0..=2;

/// Bytes of the first buffer that isn't empty: no more are written in one call.
fn bytes_to_write(memory: &[u8], fd: i32, buffers: i32, count: i32) -> u64 {
    if STANDARD.contains(&fd) {
        return 0;
    }
    let first = buffers.cast_unsigned() as usize;
    let lengths = (0..count.cast_unsigned() as usize)
        .map_while(|index| read_u32(memory, first.checked_add(index.checked_mul(8)?)? + 4));
    lengths
        .into_iter()
        .find(|length| *length > 0)
        .map_or(0, u64::from)
}

fn random_get(mut caller: Caller<'_, Guest>, at: i32, length: i32) -> wasmtime::Result<i32> {
    if caller.data().random.is_none() {
        let (memory, guest) = memory_and_guest(&mut caller)?;
        return p1::random_get(guest, &mut GuestMemory::Unshared(memory), at, length);
    }
    let (memory, guest) = split(&mut caller)?;
    let at = at.cast_unsigned() as usize;
    let into = at
        .checked_add(length.cast_unsigned() as usize)
        .and_then(|end| memory.get_mut(at..end));
    let (Some(into), Some(random)) = (into, &mut guest.random) else {
        return Ok(errno::FAULT);
    };
    random.fill(into);
    Ok(errno::SUCCESS)
}

/// The guest's memory and its state.
pub(super) fn split<'a>(
    caller: &'a mut Caller<'_, Guest>,
) -> wasmtime::Result<(&'a mut [u8], &'a mut Guest)> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory.data_and_store_mut(caller)),
        _ => wasmtime::bail!("the module exports no memory"),
    }
}

fn memory_of<'a>(caller: &'a mut Caller<'_, Guest>) -> wasmtime::Result<&'a [u8]> {
    Ok(split(caller)?.0)
}

fn memory_and_guest<'a>(
    caller: &'a mut Caller<'_, Guest>,
) -> wasmtime::Result<(&'a mut [u8], &'a mut WasiP1Ctx)> {
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (memory, guest) = split(caller)?;
    let wasi = guest.wasi();
    wasi.set_hostcall_fuel(fuel);
    Ok((memory, wasi))
}

/// A little-endian number of the guest's, if it is inside of the memory.
pub(super) fn read_u32(memory: &[u8], at: usize) -> Option<u32> {
    memory
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_le_bytes)
}
