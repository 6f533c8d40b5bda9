//! Parts of a body (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` header selects of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// All of it: there is no header, or one that need not be followed.
    All,
    /// These bytes.
    Part(Range<usize>),
    /// Nothing that is there.
    Nothing,
}

/// What `header` selects of `size` bytes. Several ranges at once are answered by
/// the whole body, as the standard allows.
#[must_use]
pub fn select(header: Option<&str>, size: usize) -> Selected {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Selected::All;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Selected::All;
    };
    let number = |text: &str| -> Option<Option<usize>> {
        let text = text.trim();
        if text.is_empty() {
            return Some(None);
        }
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        // Whatever doesn't fit is beyond the end of any body.
        Some(Some(text.parse().unwrap_or(usize::MAX)))
    };
    match (number(first), number(last)) {
        (Some(None), Some(Some(0))) => Selected::Nothing,
        (Some(None), Some(Some(_))) if size == 0 => Selected::Nothing,
        (Some(None), Some(Some(suffix))) => Selected::Part(size.saturating_sub(suffix)..size),
        (Some(Some(first)), Some(last)) => {
            let last = last.unwrap_or(usize::MAX);
            if first > last {
                Selected::All
            } else if first >= size {
                Selected::Nothing
            } else {
                Selected::Part(first..last.saturating_add(1).min(size))
            }
        }
        _ => Selected::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_select_what_is_there() {
        for (header, selected) in [
            (None, Selected::All),
            (Some("bytes=0-0"), Selected::Part(0..1)),
            (Some("bytes=2-4"), Selected::Part(2..5)),
            (Some("bytes=2-"), Selected::Part(2..10)),
            (Some("bytes=-3"), Selected::Part(7..10)),
            (Some("bytes=-30"), Selected::Part(0..10)),
            (Some("bytes=9-99"), Selected::Part(9..10)),
            (
                Some("bytes=9-99999999999999999999999"),
                Selected::Part(9..10),
            ),
            (Some("bytes=10-"), Selected::Nothing),
            (Some("bytes=99999999999999999999999-"), Selected::Nothing),
            (Some("bytes=-0"), Selected::Nothing),
            (Some("bytes=4-2"), Selected::All),
            (Some("bytes=0-1,3-4"), Selected::All),
            (Some("bytes=-"), Selected::All),
            (Some("bytes=+1-2"), Selected::All),
            (Some("lines=1-2"), Selected::All),
            (Some("x"), Selected::All),
        ] {
            assert_eq!(select(header, 10), selected, "{header:?}");
        }
        assert_eq!(select(Some("bytes=0-"), 0), Selected::Nothing);
        assert_eq!(select(Some("bytes=-1"), 0), Selected::Nothing);
    }
}
