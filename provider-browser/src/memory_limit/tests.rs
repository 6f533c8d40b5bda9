use wasmtime::{Engine, Instance, Module, Store};

use super::*;

const MIB: u64 = 1024 * 1024;

fn limited(wat: &str, limit: u64) -> Vec<u8> {
    match limit_memory(&wat::parse_str(wat).unwrap(), limit).unwrap() {
        Limited::Module(wasm) => wasm,
        Limited::TooLarge => panic!("too large"),
    }
}

/// Runs `_start` and gives its result, and the pages that were denied.
fn run(wasm: &[u8]) -> (i32, Option<i64>) {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let start = instance
        .get_typed_func::<(), i32>(&mut store, "_start")
        .unwrap();
    let result = start.call(&mut store, ()).unwrap();
    let denied = instance.get_global(&mut store, DENIED_EXPORT);
    (
        result,
        denied.map(|denied| denied.get(&mut store).unwrap_i64()),
    )
}

const GROWS: &str = r#"(module
    (type $unused (func (param f32)))
    (memory (export "memory") 2)
    (func $id (param i32) (result i32) local.get 0)
    (func (export "_start") (result i32)
        (if (i32.ne (memory.grow (i32.const 6)) (i32.const 2)) (then unreachable))
        (block (result i32)
            (call $id (memory.grow (i32.const 9))))))"#;

#[test]
fn growth_over_the_limit_is_denied_and_noted() {
    assert_eq!(
        run(&limited(GROWS, 2 * MIB)),
        (8, Some(0)),
        "17 pages are within 2 MiB"
    );
    assert_eq!(
        run(&limited(GROWS, MIB)),
        (-1, Some(17)),
        "16 pages are 1 MiB"
    );
}

#[test]
fn growth_is_told_to_who_wants_to_know() {
    let tabled = r#"(module
        (type $unused (func (param f32)))
        (table $own 3 externref)
        (table $other 1 funcref)
        (memory (export "memory") 2)
        (func $callee (result i32) (i32.const 41))
        (elem (table $other) (i32.const 0) func $callee)
        (func (export "_start") (result i32)
            (drop (memory.grow (i32.const 6)))
            (drop (memory.grow (i32.const 99)))
            (i32.add
                (table.size $own)
                (call_indirect $other (result i32) (i32.const 0)))))"#;
    for (wat, result, told) in [(GROWS, -1, [8, 8]), (tabled, 44, [8, 8])] {
        let engine = Engine::default();
        let module = Module::new(&engine, limited(wat, MIB)).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let tell = wasmtime::Func::wrap(
            &mut store,
            |mut caller: wasmtime::Caller<'_, Vec<i64>>, pages: i64| caller.data_mut().push(pages),
        );
        let table = instance.get_table(&mut store, GROWN_EXPORT).unwrap();
        table
            .set(&mut store, 0, wasmtime::Ref::Func(Some(tell)))
            .unwrap();
        let start = instance
            .get_typed_func::<(), i32>(&mut store, "_start")
            .unwrap();
        assert_eq!(start.call(&mut store, ()).unwrap(), result);
        assert_eq!(store.data(), &told, "also when it was denied");
    }
}

#[test]
fn sections_that_are_missing_are_made_in_their_place() {
    let wat = r#"(module
        (tag (param i32))
        (table 1 funcref)
        (memory 1)
        (func $start (export "_start") (result i32) (memory.grow (i32.const 100)))
        (elem (i32.const 0) $start)
        (data (i32.const 0) "abc"))"#;
    assert_eq!(run(&limited(wat, 64 * 1024)), (-1, Some(101)));
}

#[test]
fn globals_and_exports_that_are_there_keep_their_indices() {
    let wat = r#"(module
        (memory 1)
        (global $a (mut i32) (i32.const 5))
        (global $b i64 (i64.const 7))
        (func (export "_start") (result i32)
            (drop (memory.grow (i32.const 1)))
            (i32.add (global.get $a) (i32.wrap_i64 (global.get $b)))))"#;
    assert_eq!(run(&limited(wat, 64 * 1024)), (12, Some(2)));
}

#[test]
fn a_smaller_maximum_stays_and_modules_that_never_grow_get_nothing_added() {
    let wat = r#"(module (memory 1 3)
        (func (export "_start") (result i32) (memory.size)))"#;
    assert_eq!(limited(wat, MIB), wat::parse_str(wat).unwrap());
    assert_eq!(run(&limited(wat, MIB)), (1, None));
    let wat = r#"(module (memory 1 3)
        (func (export "_start") (result i32) (memory.grow (i32.const 3))))"#;
    assert_eq!(run(&limited(wat, MIB)), (-1, Some(4)));
}

#[test]
fn memories_of_64_bits_are_limited_too() {
    let wat = r#"(module (memory i64 1)
        (func (export "_start") (result i32) (i32.wrap_i64 (memory.grow (i64.const 99)))))"#;
    assert_eq!(run(&limited(wat, MIB)), (-1, Some(100)));
}

#[test]
fn what_starts_too_large_is_told_without_running() {
    let wasm = wat::parse_str("(module (memory 17))").unwrap();
    assert_eq!(limit_memory(&wasm, MIB).unwrap(), Limited::TooLarge);
    assert!(matches!(
        limit_memory(&wasm, 17 * 65536).unwrap(),
        Limited::Module(_)
    ));
}

#[test]
fn what_no_engine_takes_is_an_error() {
    assert!(matches!(
        limit_memory(b"\0asm", MIB),
        Err(LimitError::Malformed(_))
    ));
    assert!(matches!(
        limit_memory(b"nonsense", MIB),
        Err(LimitError::Malformed(_))
    ));
    let wasm = wat::parse_str(r#"(module (import "a" "b" (memory 1)))"#).unwrap();
    assert!(matches!(
        limit_memory(&wasm, MIB),
        Err(LimitError::ImportedMemory)
    ));
}

#[test]
fn real_vectors_tail_calls_and_exceptions_are_read() {
    let wat = r#"(module (memory 1) (tag $t)
        (func $f (result i32) (i32x4.extract_lane 0 (v128.load (i32.const 0))))
        (func $g (result i32) (return_call $f))
        (func (export "_start") (result i32)
            (block $caught
                (try_table (catch_all $caught) (throw $t)))
            (i32.add (call $g) (memory.grow (i32.const 1)))))"#;
    let wasm = limited(wat, MIB);
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&wasm)
        .unwrap();
}
