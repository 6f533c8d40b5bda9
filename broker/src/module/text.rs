//! Modules as text.

use super::ModuleError;

/// Whether bytes start like a module as text: `(module`, after blanks and
/// comments.
#[must_use]
pub fn looks_like_text(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = rest.trim_ascii_start();
        if rest.starts_with(b";;") {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return false;
            };
            rest = &rest[end..];
        } else if rest.starts_with(b"(;") {
            let Some(after) = skip_block(rest) else {
                return false;
            };
            rest = after;
        } else {
            break;
        }
    }
    let Some(rest) = rest.strip_prefix(b"(") else {
        return false;
    };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"module") else {
        return false;
    };
    rest.first()
        .is_none_or(|next| next.is_ascii_whitespace() || b"()$;".contains(next))
}

/// What follows a block comment, which may hold further ones.
fn skip_block(bytes: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(pair) = bytes.get(at..at + 2) {
        match pair {
            b"(;" => {
                depth += 1;
                at += 2;
            }
            b";)" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(&bytes[at..]);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// The binary of a module that is given as text.
pub(super) fn assemble(text: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let text = str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        ModuleError::Text {
            message: "not UTF-8".to_owned(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: before.len() - line_start + 1,
        }
    })?;
    wat::parse_str(text).map_err(|error| describe(&error.to_string()))
}

/// Takes the message and the place out of what the assembler prints: the
/// message, then ` --> <anon>:line:column`, then the line itself.
fn describe(printed: &str) -> ModuleError {
    let mut lines = printed.lines();
    let message = lines.next().unwrap_or_default().to_owned();
    let place = lines.find_map(|line| line.trim().strip_prefix("--> "));
    let mut numbers = place
        .unwrap_or_default()
        .rsplit(':')
        .map(|number| number.parse().unwrap_or(0));
    let column = numbers.next().unwrap_or(0);
    ModuleError::Text {
        message,
        line: numbers.next().unwrap_or(0),
        column,
    }
}
