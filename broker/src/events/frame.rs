//! Events as text (WHATWG HTML, section 9.2).

use bytes::Bytes;
use serde::Serialize;

/// A comment: keeps a connection alive over which nothing else goes.
pub const ALIVE: Bytes = Bytes::from_static(b": alive\n\n");

/// An event whose data is JSON, which has no line breaks.
pub(super) fn frame(boot: &str, number: u64, name: &str, data: &impl Serialize) -> Bytes {
    let mut text = format!("id: {boot}-{number}\nevent: {name}\ndata: ").into_bytes();
    if let Err(error) = serde_json::to_writer(&mut text, data) {
        tracing::error!(%error, name, "an event can't be written as JSON");
        return Bytes::new();
    }
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// The number in an event's id, if the id is of this start of the broker.
pub(super) fn number(boot: &str, id: &str) -> Option<u64> {
    id.strip_prefix(boot)?.strip_prefix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_lines_of_text() {
        let event = frame("b0", 7, "x", &serde_json::json!({"text": "a\nb"}));
        assert_eq!(event, "id: b0-7\nevent: x\ndata: {\"text\":\"a\\nb\"}\n\n");
        assert_eq!(number("b0", "b0-7"), Some(7));
        for id in ["", "b0", "b0-", "b1-7", "b0-x", "b07"] {
            assert_eq!(number("b0", id), None, "{id}");
        }
    }
}
