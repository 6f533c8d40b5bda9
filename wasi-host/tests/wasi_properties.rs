//! Properties of the tab's WASI host that hold whatever a guest does.

#[path = "wasi_properties/calls.rs"]
mod calls;
#[path = "wasi_properties/model.rs"]
mod model;
