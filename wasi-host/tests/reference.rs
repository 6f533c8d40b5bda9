//! The host compared with wasmtime-wasi below a real folder: whatever a guest
//! calls, in whatever order, both give the same number and the same bytes.

#![cfg(target_os = "linux")]

#[path = "reference/call.rs"]
mod call;
#[path = "reference/guest.rs"]
mod guest;
#[path = "reference/hosts.rs"]
mod hosts;
#[path = "reference/random.rs"]
mod random;
