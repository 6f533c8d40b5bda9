//! The host side of WASI preview 1 for guests that run in a tab.
//!
//! All of `wasi_snapshot_preview1` over an in-memory file system, without any
//! I/O of its own: clocks, randomness and sleep come from a [`World`], the
//! guest's memory from a [`GuestMemory`]. So the same code runs natively in
//! tests and compiled to wasm in the tab.
//!
//! The behaviour is that of the native provider's host, to the error number:
//! a job that runs on both must give equal bytes.
//!
//! A runner makes a [`Host`] from a [`Config`], links the functions of
//! [`for_each_import!`](crate::for_each_import) to the guest's imports, runs
//! it until it returns or a call gives a [`Halt`], and takes the [`Outputs`].

mod fds;
pub mod fs;
mod halt;
mod host;
mod imports;
mod memory;
pub mod types;
mod world;

pub use fds::FD_LIMIT;
pub use halt::{BadCall, Halt};
pub use host::{Config, Host, Outputs};
pub use imports::FromErrno;
pub use memory::{GuestMemory, OutOfBounds, SliceMemory};
pub use world::World;
