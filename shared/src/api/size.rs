//! Sizes as people write them.

/// Text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size: write bytes (1048576) or a unit (64KiB, 256MiB, 1.5GiB, 10MB)")]
pub struct ParseSizeError(String);

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

/// Bytes of a size such as `256MiB`, `1.5GiB`, `10MB` or `1048576`.
///
/// # Errors
/// If it is anything else, or more than can be counted.
pub fn parse_size(text: &str) -> Result<u64, ParseSizeError> {
    let bad = || ParseSizeError(text.chars().take(40).collect());
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(bad)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    // Nine digits are more than a person writes and can't overflow.
    if fraction.is_empty() || fraction.len() > 9 {
        return Err(bad());
    }
    let part: u64 = fraction.parse().map_err(|_| bad())?;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(9));
    let part = u128::from(part) * u128::from(*factor);
    // Of bytes there are no parts; of larger units they may come out uneven.
    if *factor == 1 && part % scale != 0 {
        return Err(bad());
    }
    let part = part / scale;
    let whole = u128::from(whole) * u128::from(*factor);
    u64::try_from(whole + part).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("64KiB", 64 << 10),
            ("256 MiB", 256 << 20),
            ("1.5gib", 3 << 29),
            ("10MB", 10_000_000),
            ("7b", 7),
            ("7.0", 7),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1 zib",
            "1.",
            ".5",
            "1.2.3",
            "99999999999TiB",
            "0.5",
            "1.5b",
            "1e3",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
