//! Guests that run natively, on the tab's WASI host.

#[path = "wasi_guests/errors.rs"]
mod errors;
#[path = "wasi_guests/exports.rs"]
mod exports;
#[path = "wasi_guests/groups.rs"]
mod groups;
#[path = "wasi_guests/programs.rs"]
mod programs;
#[path = "wasi_guests/support.rs"]
mod support;
