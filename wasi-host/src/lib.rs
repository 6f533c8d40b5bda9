//! The host side of WASI preview 1, for guests in a tab and in the daemon.
//!
//! All of `wasi_snapshot_preview1` over an in-memory file system, without any
//! I/O of its own: clocks, randomness and sleep come from a [`World`], the
//! guest's memory from a [`GuestMemory`]. So the same code runs in the tab,
//! compiled to wasm, in the daemon, linked to wasmtime, and in tests. A guest
//! can't tell them apart, and a job that runs on both gives equal bytes.
//!
//! The behaviour is that of wasmtime's own host below a folder on Linux, to the
//! error number; `docs/WASI.md` lists where it differs.
//!
//! A runner makes a [`Host`] from a [`Config`], links the functions of
//! [`for_each_import!`] to the guest's imports, runs it until it returns or a
//! call gives a [`Halt`], and takes the [`Outputs`].
//!
//! # Layout
//! - [`Host`]: one guest's state, and a method for each import; `fds`: its
//!   descriptors; [`fs`]: its files.
//! - [`for_each_import!`]: the one list of imports.
//! - [`types`]: the numbers of the definition. [`Halt`]: how a call ends a guest.
//! - [`World`], [`GuestMemory`]: what runners provide; [`Seeded`]: the world of
//!   a deterministic job.
//! - [`task`]: from a task's spec to a [`Config`]'s files, and back to artifacts.

mod fds;
pub mod fs;
mod halt;
mod host;
mod imports;
mod memory;
mod seeded;
pub mod task;
pub mod types;
mod world;

pub use halt::{BadCall, Halt};
pub use host::{Config, Host, Outputs};
pub use imports::FromErrno;
pub use memory::{GuestMemory, OutOfBounds, SliceMemory};
pub use seeded::Seeded;
pub use world::World;
