//! From wasmtime's errors to the words for traps.

use std::fmt::Write as _;

use wasipool_shared::task::trap;
use wasipool_wasi::Halt;
use wasmtime::{ThrownException, Trap, WasmBacktrace};

use super::guest::Halted;

/// Opcodes of the conversions from floats that trap.
const TRUNCATIONS: [u8; 8] = [0xa8, 0xa9, 0xaa, 0xab, 0xae, 0xaf, 0xb0, 0xb1];

/// Whether the guest trapped, as opposed to what the host couldn't do.
pub(super) fn is_trap(error: &wasmtime::Error) -> bool {
    error.is::<Trap>() || error.is::<ThrownException>()
}

/// A word of [`trap`] on the first line, with what was wrong with a call; then,
/// for what has no word of its own, what it was; then the names of the functions, innermost first, if the module
/// has names.
pub(super) fn reason(error: &wasmtime::Error, wasm: &[u8]) -> String {
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map_or(&[][..], WasmBacktrace::frames);
    let opcode = frames
        .first()
        .and_then(|frame| wasm.get(frame.module_offset()?))
        .copied();
    let word = word(error, opcode);
    let mut reason = word.to_owned();
    if let Some(Halted(Halt::Trap(bad))) = error.downcast_ref() {
        _ = write!(reason, ": {bad}");
    } else if word == trap::OTHER {
        let detail = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        let detail = detail
            .trim_start_matches("wasm trap: ")
            .lines()
            .next()
            .unwrap_or_default();
        _ = write!(reason, "\n  {detail}");
    }
    for name in frames.iter().filter_map(|frame| frame.func_name()) {
        _ = write!(reason, "\n  at {name}");
    }
    reason
}

fn word(error: &wasmtime::Error, opcode: Option<u8>) -> &'static str {
    if error.is::<ThrownException>() {
        return trap::EXCEPTION;
    }
    let Some(code) = error.downcast_ref::<Trap>() else {
        return trap::OTHER;
    };
    match code {
        Trap::UnreachableCodeReached => trap::UNREACHABLE,
        Trap::MemoryOutOfBounds => trap::MEMORY,
        Trap::TableOutOfBounds => trap::TABLE,
        Trap::IndirectCallToNull | Trap::BadSignature => trap::INDIRECT_CALL,
        Trap::IntegerDivisionByZero => trap::DIVIDE,
        // Other engines don't tell a float that is too large from one that is
        // no number; wasmtime gives the former the code of a quotient's overflow.
        Trap::IntegerOverflow if opcode.is_some_and(|code| TRUNCATIONS.contains(&code)) => {
            trap::CONVERSION
        }
        Trap::IntegerOverflow => trap::OVERFLOW,
        Trap::BadConversionToInteger => trap::CONVERSION,
        Trap::StackOverflow => trap::STACK,
        _ => trap::OTHER,
    }
}
