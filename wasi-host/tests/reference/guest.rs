//! A guest that checks all of WASI, on wasmtime-wasi: what it expects of us is
//! what the reference does.

use std::path::Path;

use wasmtime::{Engine, Linker, Module, Store};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

#[test]
fn the_reference_does_what_we_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests/conformance.wasm");
    let Ok(wasm) = std::fs::read(&path) else {
        panic!("{} is missing: run `make guests`", path.display());
    };
    let folder = tempfile::tempdir().expect("a folder");
    let stderr = MemoryOutputPipe::new(1 << 20);
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(&["conformance", "elsewhere"])
        .stderr(stderr.clone())
        .allow_blocking_current_thread(true)
        .preopened_dir(folder.path(), "/", FsPerms::ReadWrite)
        .expect("the folder is there");
    let engine = Engine::default();
    let mut linker = Linker::<WasiP1Ctx>::new(&engine);
    add_to_linker_sync(&mut linker, |context| context).expect("no name is there twice");
    let module = Module::new(&engine, wasm).expect("a valid module");
    let mut store = Store::new(&engine, builder.build_p1());
    let instance = linker.instantiate(&mut store, &module).expect("it fits");
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .expect("a command");
    let failed = match start.call(&mut store, ()) {
        Ok(()) => false,
        Err(error) => error
            .downcast_ref::<I32Exit>()
            .is_none_or(|exit| exit.0 != 0),
    };
    let stderr = String::from_utf8_lossy(&stderr.contents()).into_owned();
    assert!(!failed, "{stderr}");
}
