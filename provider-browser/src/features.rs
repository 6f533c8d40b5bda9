//! Which WebAssembly features the browser's engine has: found by asking it
//! whether it takes tiny modules that use them.

use wasipool_shared::capacity::Features;

/// A module that is valid only where a feature is there.
struct Probe {
    feature: Features,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "says what the bytes are; a test compares")
    )]
    source: &'static str,
    /// The module without its magic number and version.
    sections: &'static [u8],
}

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// The features that `validate` knows, a function as `WebAssembly.validate`.
pub fn detect(mut validate: impl FnMut(&[u8]) -> bool) -> Features {
    let found = PROBES
        .iter()
        .filter(|probe| validate(&[HEADER, probe.sections].concat()));
    found.fold(Features::default(), |features, probe| {
        features.union(probe.feature)
    })
}

#[rustfmt::skip]
const PROBES: &[Probe] = &[
    Probe {
        feature: Features::MULTI_VALUE,
        source: r#"(module (func (result i32 i32) i32.const 0 i32.const 0))"#,
        sections: b"\x01\x06\x01\x60\x00\x02\x7f\x7f\x03\x02\x01\x00\x0a\x08\x01\x06\x00\x41\x00\x41\x00\x0b",
    },
    Probe {
        feature: Features::SIGN_EXTENSION,
        source: r#"(module (func (drop (i32.extend8_s (i32.const 0)))))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x08\x01\x06\x00\x41\x00\xc0\x1a\x0b",
    },
    Probe {
        feature: Features::SATURATING_FLOAT,
        source: r#"(module (func (drop (i32.trunc_sat_f32_s (f32.const 0)))))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0c\x01\x0a\x00\x43\x00\x00\x00\x00\xfc\x00\x1a\x0b",
    },
    Probe {
        feature: Features::BULK_MEMORY,
        source: r#"(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 0))))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01\x0a\x0e\x01\x0c\x00\x41\x00\x41\x00\x41\x00\xfc\x0a\x00\x00\x0b",
    },
    Probe {
        feature: Features::MUTABLE_GLOBAL,
        source: r#"(module (global (export "g") (mut i32) (i32.const 0)))"#,
        sections: b"\x06\x06\x01\x7f\x01\x41\x00\x0b\x07\x05\x01\x01\x67\x03\x00",
    },
    Probe {
        feature: Features::REFERENCE_TYPES,
        source: r#"(module (func (result externref) ref.null extern))"#,
        sections: b"\x01\x05\x01\x60\x00\x01\x6f\x03\x02\x01\x00\x0a\x06\x01\x04\x00\xd0\x6f\x0b",
    },
    Probe {
        feature: Features::SIMD,
        source: r#"(module (func (drop (i8x16.popcnt (v128.const i32x4 0 0 0 0)))))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x19\x01\x17\x00\xfd\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfd\x62\x1a\x0b",
    },
    Probe {
        feature: Features::RELAXED_SIMD,
        source: r#"(module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))"#,
        sections: b"\x01\x05\x01\x60\x01\x7b\x00\x03\x02\x01\x00\x0a\x0c\x01\x0a\x00\x20\x00\x20\x00\xfd\x80\x02\x1a\x0b",
    },
    Probe {
        feature: Features::TAIL_CALL,
        source: r#"(module (func return_call 0))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x06\x01\x04\x00\x12\x00\x0b",
    },
    Probe {
        feature: Features::MULTI_MEMORY,
        source: r#"(module (memory 1) (memory 1))"#,
        sections: b"\x05\x05\x02\x00\x01\x00\x01",
    },
    Probe {
        feature: Features::EXTENDED_CONST,
        source: r#"(module (global i32 (i32.add (i32.const 1) (i32.const 1))))"#,
        sections: b"\x06\x09\x01\x7f\x00\x41\x01\x41\x01\x6a\x0b",
    },
    Probe {
        feature: Features::EXCEPTIONS,
        source: r#"(module (func (block (try_table (catch_all 0)))))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0d\x01\x0b\x00\x02\x40\x1f\x40\x01\x02\x00\x0b\x0b\x0b",
    },
    Probe {
        feature: Features::THREADS,
        source: r#"(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))"#,
        sections: b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x04\x01\x03\x01\x01\x0a\x0b\x01\x09\x00\x41\x00\xfe\x10\x02\x00\x1a\x0b",
    },
    Probe {
        feature: Features::MEMORY64,
        source: r#"(module (memory i64 1))"#,
        sections: b"\x05\x03\x01\x04\x01",
    },
    Probe {
        feature: Features::GC,
        source: r#"(module (type (struct)) (func (drop (struct.new 0))))"#,
        sections: b"\x01\x06\x02\x5f\x00\x60\x00\x00\x03\x02\x01\x01\x0a\x08\x01\x06\x00\xfb\x00\x00\x1a\x0b",
    },
];

#[cfg(test)]
mod tests {
    use wasmparser::{Validator, WasmFeatures};

    use super::*;

    #[test]
    fn probes_are_what_their_sources_say_and_cover_all_features() {
        assert_eq!(PROBES.len(), Features::NAMED.len());
        for (probe, (feature, name)) in PROBES.iter().zip(Features::NAMED) {
            assert_eq!(probe.feature, *feature);
            let wasm = wat::parse_str(probe.source).unwrap();
            assert_eq!(wasm, [HEADER, probe.sections].concat(), "{name}");
        }
    }

    #[test]
    fn only_what_an_engine_takes_is_found() {
        let validate = |features: WasmFeatures| {
            detect(|wasm| {
                Validator::new_with_features(features)
                    .validate_all(wasm)
                    .is_ok()
            })
        };
        assert!(
            Features::NAMED
                .iter()
                .all(|(it, _)| validate(WasmFeatures::all()).contains(*it))
        );
        assert_eq!(validate(WasmFeatures::WASM1), Features::MUTABLE_GLOBAL);
        let second = validate(WasmFeatures::WASM2).names().collect::<Vec<_>>();
        assert!(
            second.contains(&"simd") && !second.contains(&"threads"),
            "{second:?}"
        );
    }
}
