//! The one list of what a guest can import.

use super::types::Errno;

/// What an import returns to the guest: its error number, or nothing where the
/// import has no result (`proc_exit`, which never returns).
pub trait FromErrno {
    /// The value for this error number.
    fn from_errno(errno: Errno) -> Self;
}

impl FromErrno for i32 {
    fn from_errno(errno: Errno) -> Self {
        errno.as_i32()
    }
}

impl FromErrno for () {
    fn from_errno(_: Errno) -> Self {}
}

/// Calls a macro with every import of `wasi_snapshot_preview1`.
///
/// `for_each_import!(callback)` expands to `callback! { [] rows… }`, and
/// `for_each_import!(callback, a, b)` to `callback! { [a b] rows… }`, so that
/// names of the call site can be handed through. A row is
///
/// ```text
/// fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) -> i32;
/// ```
///
/// The name is that of the import and of the method of
/// [`Host`](crate::Host). The method takes the guest's memory and then
/// the arguments of the row. Argument types are `u32` (wasm: `i32`), `u64` and
/// `i64` (wasm: `i64`). The result is `i32`, or `()` for `proc_exit`; an
/// [`Errno`](crate::types::Errno) becomes either by
/// [`FromErrno`](crate::FromErrno).
///
/// Linking to wasmtime:
///
/// ```ignore
/// macro_rules! link {
///     ([$linker:ident] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
///         $linker.func_wrap(
///             "wasi_snapshot_preview1",
///             stringify!($name),
///             |mut caller: Caller<'_, State>, $($arg: $ty),*| -> wasmtime::Result<$ret> {
///                 call(&mut caller, |host, memory| host.$name(memory, $($arg),*))
///                     .map(FromErrno::from_errno)
///             },
///         )?;
///     )*};
/// }
/// for_each_import!(link, linker);
/// ```
///
/// Exporting from the module of the tab, to be given to the guest as they are
/// (`stop` must not return: it throws):
///
/// ```ignore
/// macro_rules! export {
///     ([] $($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {$(
///         #[unsafe(export_name = concat!("wasi_", stringify!($name)))]
///         pub extern "C" fn $name($($arg: $ty),*) -> $ret {
///             match with_host(|host, memory| host.$name(memory, $($arg),*)) {
///                 Ok(errno) => FromErrno::from_errno(errno),
///                 Err(halt) => stop(halt),
///             }
///         }
///     )*};
/// }
/// for_each_import!(export);
/// ```
#[macro_export]
macro_rules! for_each_import {
    ($callback:ident $(, $pass:tt)* $(,)?) => {
        $callback! {
            [$($pass)*]
            args_get(argv: u32, argv_buf: u32) -> i32;
            args_sizes_get(count: u32, size: u32) -> i32;
            environ_get(environ: u32, environ_buf: u32) -> i32;
            environ_sizes_get(count: u32, size: u32) -> i32;
            clock_res_get(id: u32, resolution: u32) -> i32;
            clock_time_get(id: u32, precision: u64, time: u32) -> i32;
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32) -> i32;
            fd_allocate(fd: u32, offset: u64, len: u64) -> i32;
            fd_close(fd: u32) -> i32;
            fd_datasync(fd: u32) -> i32;
            fd_fdstat_get(fd: u32, stat: u32) -> i32;
            fd_fdstat_set_flags(fd: u32, flags: u32) -> i32;
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) -> i32;
            fd_filestat_get(fd: u32, stat: u32) -> i32;
            fd_filestat_set_size(fd: u32, size: u64) -> i32;
            fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32) -> i32;
            fd_pread(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nread: u32) -> i32;
            fd_prestat_get(fd: u32, prestat: u32) -> i32;
            fd_prestat_dir_name(fd: u32, path: u32, path_len: u32) -> i32;
            fd_pwrite(fd: u32, iovs: u32, iovs_len: u32, offset: u64, nwritten: u32) -> i32;
            fd_read(fd: u32, iovs: u32, iovs_len: u32, nread: u32) -> i32;
            fd_readdir(fd: u32, buf: u32, buf_len: u32, cookie: u64, used: u32) -> i32;
            fd_renumber(fd: u32, to: u32) -> i32;
            fd_seek(fd: u32, offset: i64, whence: u32, position: u32) -> i32;
            fd_sync(fd: u32) -> i32;
            fd_tell(fd: u32, position: u32) -> i32;
            fd_write(fd: u32, iovs: u32, iovs_len: u32, nwritten: u32) -> i32;
            path_create_directory(fd: u32, path: u32, path_len: u32) -> i32;
            path_filestat_get(fd: u32, flags: u32, path: u32, path_len: u32, stat: u32) -> i32;
            path_filestat_set_times(
                fd: u32, flags: u32, path: u32, path_len: u32,
                atim: u64, mtim: u64, fst_flags: u32
            ) -> i32;
            path_link(
                old_fd: u32, old_flags: u32, old_path: u32, old_len: u32,
                new_fd: u32, new_path: u32, new_len: u32
            ) -> i32;
            path_open(
                fd: u32, dirflags: u32, path: u32, path_len: u32, oflags: u32,
                base: u64, inheriting: u64, fdflags: u32, opened: u32
            ) -> i32;
            path_readlink(
                fd: u32, path: u32, path_len: u32, buf: u32, buf_len: u32, used: u32
            ) -> i32;
            path_remove_directory(fd: u32, path: u32, path_len: u32) -> i32;
            path_rename(
                old_fd: u32, old_path: u32, old_len: u32,
                new_fd: u32, new_path: u32, new_len: u32
            ) -> i32;
            path_symlink(target: u32, target_len: u32, fd: u32, path: u32, path_len: u32) -> i32;
            path_unlink_file(fd: u32, path: u32, path_len: u32) -> i32;
            poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32) -> i32;
            proc_exit(code: u32) -> ();
            proc_raise(signal: u32) -> i32;
            sched_yield() -> i32;
            random_get(buf: u32, buf_len: u32) -> i32;
            sock_accept(fd: u32, flags: u32, accepted: u32) -> i32;
            sock_recv(
                fd: u32, iovs: u32, iovs_len: u32, flags: u32, nread: u32, out_flags: u32
            ) -> i32;
            sock_send(fd: u32, iovs: u32, iovs_len: u32, flags: u32, nwritten: u32) -> i32;
            sock_shutdown(fd: u32, how: u32) -> i32;
        }
    };
}
