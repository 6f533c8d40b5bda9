use super::*;

fn inspect_text(text: &str) -> Result<ModuleInfo, ModuleError> {
    inspect(&assemble(text.as_bytes()).unwrap())
}

const START: &str = "(func (export \"_start\"))";

#[test]
fn a_module_is_described() {
    let info = inspect_text(
        "(module
           (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32)))
           (import \"wasi_snapshot_preview1\" \"fd_write\"
             (func (param i32 i32 i32 i32) (result i32)))
           (memory (export \"memory\") 2 16)
           (func (export \"_start\")))",
    )
    .unwrap();
    assert_eq!(
        info.imports,
        [
            "wasi_snapshot_preview1.proc_exit",
            "wasi_snapshot_preview1.fd_write"
        ]
    );
    assert_eq!(info.exports, ["memory", "_start"]);
    assert_eq!(
        info.memory,
        Some(MemoryInfo {
            min_pages: 2,
            max_pages: Some(16)
        })
    );
    assert!(
        info.features.is_empty(),
        "{:?}",
        info.features.names().collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let refused = |text: &str| inspect_text(text).unwrap_err().to_string();
    for (text, expected) in [
        (
            "(module (import \"env\" \"jump\" (func)) (func (export \"_start\")))",
            "the import env.jump can't be satisfied",
        ),
        (
            "(module (import \"wasi_snapshot_preview1\" \"fd_fly\" (func)) (func (export \"_start\")))",
            "no such function",
        ),
        (
            "(module (import \"wasi_snapshot_preview1\" \"fd_close\" (func (param i64) (result i32)))
               (func (export \"_start\")))",
            "its type must be (i32) -> (i32)",
        ),
        (
            "(module (import \"wasi_snapshot_preview1\" \"fd_close\" (memory 1)) (func (export \"_start\")))",
            "must be a function",
        ),
        ("(module (func (export \"start\")))", "no function `_start`"),
        ("(module (func (export \"_start\") (param i32)))", "must take and return nothing"),
        ("(module (memory (export \"_start\") 1))", "must be a function"),
    ] {
        let error = refused(text);
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(inspect(b"\0asm\x0d\0\x01\0"), Err(ModuleError::Component));
}

#[test]
fn damage_is_found_with_its_offset() {
    let good =
        assemble(format!("(module {START} (func (drop (i32.const 1))))").as_bytes()).unwrap();
    assert!(inspect(&good).is_ok());
    for end in 0..good.len() {
        assert!(inspect(&good[..end]).is_err(), "cut after {end} bytes");
    }
    let bad = inspect_text(&format!("(module {START} (func (drop)))")).unwrap_err();
    let ModuleError::Invalid { offset, .. } = bad else {
        panic!("{bad}")
    };
    assert!(offset > 8);
}

#[test]
fn features_are_those_that_are_used() {
    for (body, feature) in [
        (
            "(func (result i32 i32) i32.const 1 i32.const 2)",
            Features::MULTI_VALUE,
        ),
        (
            "(func (drop (i32.extend8_s (i32.const 1))))",
            Features::SIGN_EXTENSION,
        ),
        (
            "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))",
            Features::SATURATING_FLOAT,
        ),
        (
            "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
            Features::BULK_MEMORY,
        ),
        (
            "(global (export \"g\") (mut i32) (i32.const 0))",
            Features::MUTABLE_GLOBAL,
        ),
        ("(table 1 externref)", Features::REFERENCE_TYPES),
        ("(func (drop (v128.const i64x2 0 0)))", Features::SIMD),
        ("(func return_call 0)", Features::TAIL_CALL),
        ("(memory 1) (memory 1)", Features::MULTI_MEMORY),
        (
            "(global i32 (i32.add (i32.const 1) (i32.const 1)))",
            Features::EXTENDED_CONST,
        ),
        ("(tag) (func throw 0)", Features::EXCEPTIONS),
        ("(memory 1 1 shared)", Features::THREADS),
        ("(memory i64 1)", Features::MEMORY64),
        ("(type (struct (field i32)))", Features::GC),
    ] {
        let info = inspect_text(&format!("(module {START} {body})")).unwrap();
        let names: Vec<_> = info.features.names().collect();
        assert_eq!(info.features, feature, "{body}: {names:?}");
    }
    let both =
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))";
    let info = inspect_text(&format!("(module {START} {both})")).unwrap();
    assert!(info.features.contains(Features::RELAXED_SIMD));
}

#[test]
fn text_is_recognised_after_blanks_and_comments() {
    for text in [
        "(module)",
        " \n;; one\n(; two (; three ;) ;)\n( module $m)",
        "(module(func))",
    ] {
        assert_eq!(guess(text.as_bytes()), Guess::Text, "{text}");
    }
    for text in [
        "",
        "(",
        "(modules)",
        ";; (module)",
        "(; (module)",
        "x (module)",
    ] {
        assert_eq!(guess(text.as_bytes()), Guess::Data, "{text}");
    }
    assert_eq!(guess(b"\0asm"), Guess::Wasm);
    assert_eq!(guess(b"PK\x03\x04"), Guess::Archive);
}

#[test]
fn errors_in_text_have_line_and_column() {
    let error = assemble(b"(module\n  (fuunc))").unwrap_err();
    let ModuleError::Text {
        message,
        line,
        column,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((line, column), (2, 4), "{message}");
    let error = assemble(b"(module\n  \xff)").unwrap_err();
    assert!(error.to_string().contains("line 2, column 3"), "{error}");
}
