//! A valid module with its memory limited is a valid module.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wasipool_browser::memory_limit::{LimitError, Limited, limit_memory};

fuzz_target!(|input: (wasm_smith::Module, u32)| {
    let (module, limit) = input;
    let wasm = module.to_bytes();
    match limit_memory(&wasm, limit.into()) {
        Ok(Limited::Module(changed)) => {
            if let Err(error) = wasmparser::validate(&changed) {
                panic!("no longer valid: {error}");
            }
        }
        Ok(Limited::TooLarge) | Err(LimitError::ImportedMemory) => {}
        Err(LimitError::Malformed(error)) => panic!("refused: {error}"),
    }
});
