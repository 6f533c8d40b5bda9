//! One word for each trap, whatever the browser's engine calls it.

use wasipool_shared::task::trap;

/// What is in each frame of this module's own functions.
const HOST: &str = "wasipool_browser";
/// Frames of a backtrace that are worth reading.
const FRAMES_MAX: usize = 32;

/// What an engine threw when a guest trapped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thrown {
    /// The class of the error, e.g. `RuntimeError`.
    pub name: String,
    /// Its message.
    pub message: String,
    /// Its stack, as the engine formats it.
    pub stack: String,
}

/// Parts of messages of V8, SpiderMonkey and JavaScriptCore, in lower case. The
/// first that is found counts, so what is more exact stands first.
const WORDS: &[(&str, &str)] = &[
    ("unreachable", trap::UNREACHABLE),
    // Numbers, before tables: some things are unrepresentable.
    ("divide by zero", trap::DIVIDE),
    ("division by zero", trap::DIVIDE),
    ("remainder by zero", trap::DIVIDE),
    ("divide result unrepresentable", trap::OVERFLOW),
    ("integer overflow", trap::OVERFLOW),
    ("float unrepresentable", trap::CONVERSION),
    ("invalid conversion to integer", trap::CONVERSION),
    ("out of bounds trunc", trap::CONVERSION),
    // Calls through tables, before tables and memories.
    ("null function", trap::INDIRECT_CALL),
    ("function signature mismatch", trap::INDIRECT_CALL),
    ("indirect call", trap::INDIRECT_CALL),
    ("call_indirect to a", trap::INDIRECT_CALL),
    ("out of bounds call_indirect", trap::TABLE),
    ("table", trap::TABLE),
    ("element segment", trap::TABLE),
    // Stacks.
    ("call stack", trap::STACK),
    ("too much recursion", trap::STACK),
    // What is left of things out of bounds is memory: SpiderMonkey says no more
    // than `index out of bounds`.
    ("array", trap::OTHER),
    ("out of bounds", trap::MEMORY),
    ("out-of-bounds", trap::MEMORY),
];

/// The word for a trap.
#[must_use]
pub fn word(thrown: &Thrown) -> &'static str {
    if thrown.name == "Exception" {
        return trap::EXCEPTION;
    }
    let message = thrown.message.to_lowercase();
    let found = WORDS.iter().find(|(part, _)| message.contains(part));
    found.map_or(trap::OTHER, |(_, word)| *word)
}

/// The reason of a trap: its word, what the engine said if there is no word for
/// it, and the names of the functions that it happened in, innermost first.
#[must_use]
pub fn reason(thrown: &Thrown) -> String {
    let word = word(thrown);
    let mut reason = word.to_owned();
    if word == trap::OTHER && !thrown.message.is_empty() {
        reason.push_str(": ");
        reason.push_str(&thrown.message);
    }
    for name in backtrace(&thrown.stack).take(FRAMES_MAX) {
        reason.push_str("\n  at ");
        reason.push_str(name);
    }
    reason
}

/// The names of the guest's functions in an engine's stack: the first run of
/// wasm frames, without those of the host, which called the guest.
fn backtrace(stack: &str) -> impl Iterator<Item = &str> {
    let frames = stack
        .lines()
        .map(str::trim)
        .skip_while(|line| !is_wasm(line));
    frames
        .take_while(|line| is_wasm(line) && !line.contains(HOST))
        .filter_map(function_name)
}

fn is_wasm(line: &str) -> bool {
    line.contains("wasm-function[")
}

/// V8: `at module.name (wasm://…:wasm-function[3]:0x1f)`, without a name only
/// `at wasm://…`. SpiderMonkey: `name@https://…:wasm-function[3]:0x1f`, without
/// a name `@…` or the place again.
fn function_name(line: &str) -> Option<&str> {
    let name = match line.strip_prefix("at ") {
        Some(rest) => rest.rsplit_once(" (")?.0,
        None => {
            line.split_once("@http")
                .or_else(|| line.split_once("@wasm"))?
                .0
        }
    };
    // V8 puts the name of the module in front, which compilers make the file's.
    let name = name
        .split_once(".wasm.")
        .map_or(name, |(_, function)| function);
    let unnamed = name.is_empty() || name.contains("wasm-function[");
    (!unnamed).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thrown(name: &str, message: &str) -> Thrown {
        Thrown {
            name: name.to_owned(),
            message: message.to_owned(),
            stack: String::new(),
        }
    }

    #[test]
    fn engines_say_it_differently_people_see_one_word() {
        for (message, expected) in [
            // V8.
            ("unreachable", trap::UNREACHABLE),
            ("memory access out of bounds", trap::MEMORY),
            ("divide by zero", trap::DIVIDE),
            ("remainder by zero", trap::DIVIDE),
            ("divide result unrepresentable", trap::OVERFLOW),
            ("float unrepresentable in integer range", trap::CONVERSION),
            (
                "null function or function signature mismatch",
                trap::INDIRECT_CALL,
            ),
            ("table index is out of bounds", trap::TABLE),
            ("table access out of bounds", trap::TABLE),
            ("Maximum call stack size exceeded", trap::STACK),
            ("array access out of bounds", trap::OTHER),
            ("illegal cast", trap::OTHER),
            // SpiderMonkey.
            ("unreachable executed", trap::UNREACHABLE),
            ("index out of bounds", trap::MEMORY),
            ("integer divide by zero", trap::DIVIDE),
            ("integer overflow", trap::OVERFLOW),
            ("invalid conversion to integer", trap::CONVERSION),
            ("indirect call to null", trap::INDIRECT_CALL),
            ("indirect call signature mismatch", trap::INDIRECT_CALL),
            ("table index out of bounds", trap::TABLE),
            ("too much recursion", trap::STACK),
            // JavaScriptCore.
            (
                "Unreachable code should not be executed (evaluating ...)",
                trap::UNREACHABLE,
            ),
            ("Out of bounds memory access (evaluating ...)", trap::MEMORY),
            ("Division by zero", trap::DIVIDE),
            ("Out of bounds trunc operation", trap::CONVERSION),
            ("Out of bounds call_indirect", trap::TABLE),
            ("call_indirect to a null table entry", trap::INDIRECT_CALL),
            (
                "call_indirect to a signature that does not match",
                trap::INDIRECT_CALL,
            ),
        ] {
            assert_eq!(
                word(&thrown("RuntimeError", message)),
                expected,
                "{message}"
            );
        }
        assert_eq!(
            word(&thrown("Exception", "wasm exception")),
            trap::EXCEPTION
        );
    }

    #[test]
    fn what_has_no_word_is_quoted() {
        assert_eq!(
            reason(&thrown("RuntimeError", "illegal cast")),
            "trap: illegal cast"
        );
        assert_eq!(reason(&Thrown::default()), "trap");
    }

    #[test]
    fn named_frames_of_the_guest_make_the_backtrace() {
        let v8 = "RuntimeError: unreachable\n    \
            at innermost (wasm://wasm/0a1b:wasm-function[0]:0x21)\n    \
            at wasm://wasm/0a1b:wasm-function[1]:0x25\n    \
            at guest.wasm.<main as T>::call (x) (wasm://wasm/0a1b:wasm-function[2]:0x28)\n    \
            at http://127.0.0.1:1/wasipool_browser.js:1:2\n    \
            at host_run (http://127.0.0.1:1/wasipool_browser_bg.wasm:wasm-function[9]:0x9)";
        let mut trapped = thrown("RuntimeError", "unreachable");
        trapped.stack = v8.to_owned();
        let expected = format!(
            "{}\n  at innermost\n  at <main as T>::call (x)",
            trap::UNREACHABLE
        );
        assert_eq!(reason(&trapped), expected);
        let firefox = "innermost@http://127.0.0.1:1/runner.js:wasm-function[0]:0x21\n\
            @http://127.0.0.1:1/runner.js:wasm-function[1]:0x25\n\
            middle@http://127.0.0.1:1/runner.js:wasm-function[2]:0x25\n\
            run@http://127.0.0.1:1/wasipool_browser.js:1:2\n";
        trapped.stack = "RuntimeError: memory access out of bounds\n    \
            at wasipool_browser.wasm.run (http://x/wasipool_browser_bg.wasm:wasm-function[9]:0x9)"
            .to_owned();
        assert_eq!(
            reason(&trapped),
            trap::UNREACHABLE,
            "the host is no part of it"
        );
        trapped.stack = firefox.to_owned();
        let expected = format!("{}\n  at innermost\n  at middle", trap::UNREACHABLE);
        assert_eq!(reason(&trapped), expected);
    }
}
