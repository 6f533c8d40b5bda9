//! Which features of WebAssembly a module needs.

use wasipool_shared::capacity::Features;
use wasmparser::{Validator, WasmFeatures};

use super::ModuleError;

/// Each feature that modules may use and the validator's name for it.
const KNOWN: [(Features, WasmFeatures); 15] = [
    (Features::MULTI_VALUE, WasmFeatures::MULTI_VALUE),
    (Features::SIGN_EXTENSION, WasmFeatures::SIGN_EXTENSION),
    (
        Features::SATURATING_FLOAT,
        WasmFeatures::SATURATING_FLOAT_TO_INT,
    ),
    (Features::BULK_MEMORY, WasmFeatures::BULK_MEMORY),
    (Features::MUTABLE_GLOBAL, WasmFeatures::MUTABLE_GLOBAL),
    (Features::REFERENCE_TYPES, WasmFeatures::REFERENCE_TYPES),
    (Features::SIMD, WasmFeatures::SIMD),
    (Features::RELAXED_SIMD, WasmFeatures::RELAXED_SIMD),
    (Features::TAIL_CALL, WasmFeatures::TAIL_CALL),
    (Features::MULTI_MEMORY, WasmFeatures::MULTI_MEMORY),
    (Features::EXTENDED_CONST, WasmFeatures::EXTENDED_CONST),
    (Features::EXCEPTIONS, WasmFeatures::EXCEPTIONS),
    (Features::THREADS, WasmFeatures::THREADS),
    (Features::MEMORY64, WasmFeatures::MEMORY64),
    (
        Features::GC,
        WasmFeatures::GC.union(WasmFeatures::FUNCTION_REFERENCES),
    ),
];

/// What every engine can do.
const BASE: WasmFeatures = WasmFeatures::MVP;

/// All features that modules may use.
pub(super) const ALL: WasmFeatures = {
    let mut all = BASE;
    let mut at = 0;
    while at < KNOWN.len() {
        all = all.union(KNOWN[at].1);
        at += 1;
    }
    all
};

/// Validates a module and says what it needs.
///
/// Starts from the oldest wasm and adds what the validator misses, so the passes
/// that fail end early and a module is gone through completely once.
pub(super) fn needed(bytes: &[u8]) -> Result<Features, ModuleError> {
    let mut features = Features::default();
    let mut enabled = BASE;
    loop {
        let Err(error) = Validator::new_with_features(enabled).validate_all(bytes) else {
            return Ok(features);
        };
        let missing = error
            .missing_wasm_feature()
            .unwrap_or(WasmFeatures::empty());
        let before = enabled;
        for (feature, name) in KNOWN {
            // Some names stand for a part of a feature, hence any bit in common.
            if name.difference(enabled).intersects(missing) {
                features = features.union(feature);
                enabled = enabled.union(name);
            }
        }
        if enabled == before {
            return not_said(bytes, enabled, features);
        }
    }
}

/// The validator doesn't always say which feature it misses: then what the
/// module gets by without is found by trying.
fn not_said(bytes: &[u8], enabled: WasmFeatures, known: Features) -> Result<Features, ModuleError> {
    Validator::new_with_features(ALL).validate_all(bytes)?;
    let (mut features, mut needed) = (known, ALL);
    for (feature, name) in KNOWN {
        let without = needed.difference(name.difference(enabled));
        if known.contains(feature) {
            continue;
        }
        if Validator::new_with_features(without)
            .validate_all(bytes)
            .is_ok()
        {
            needed = without;
        } else {
            features = features.union(feature);
        }
    }
    Ok(features)
}
