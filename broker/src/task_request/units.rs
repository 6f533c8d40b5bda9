//! Durations, sizes and features as clients write them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use wasipool_shared::api::parse_size;
use wasipool_shared::capacity::Features;

/// A span of time: `"30s"`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationField {
    /// In milliseconds.
    pub ms: u64,
}

impl DurationField {
    /// Reads text such as `500ms`, `30s`, `1m 30s` or `2h`; a number without a
    /// unit is of seconds.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return Self::from_seconds(seconds);
        }
        let bad = |error| {
            format!(
                "{text:?} is not a duration ({error}): write e.g. \"500ms\", \"30s\" or \"10m\""
            )
        };
        let duration = humantime::parse_duration(text.trim()).map_err(bad)?;
        Ok(Self {
            ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn from_seconds(seconds: f64) -> Result<Self, String> {
        let duration = std::time::Duration::try_from_secs_f64(seconds)
            .map_err(|_| format!("{seconds} is not a number of seconds"))?;
        Ok(Self {
            ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// A number of bytes: `"256MiB"`, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeField {
    /// In bytes.
    pub bytes: u64,
}

impl SizeField {
    /// Reads text such as `256MiB`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse_size(text)
            .map(|bytes| Self { bytes })
            .map_err(|error| error.to_string())
    }
}

/// The feature of that name.
///
/// # Errors
/// If there is none.
pub fn parse_feature(name: &str) -> Result<Features, String> {
    Features::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Features::NAMED.iter().map(|(_, name)| *name).collect();
        format!(
            "there is no feature {name:?}; those known are {}",
            known.join(", ")
        )
    })
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = DurationField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"500ms\", \"30s\" or \"10m\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DurationField, E> {
        DurationField::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<DurationField, E> {
        Ok(DurationField {
            ms: seconds.saturating_mul(1_000),
        })
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<DurationField, E> {
        DurationField::from_seconds(seconds).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for DurationField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(DurationVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = SizeField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"256MiB\", or a number of bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SizeField, E> {
        SizeField::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<SizeField, E> {
        Ok(SizeField { bytes })
    }
}

impl<'de> Deserialize<'de> for SizeField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SizeVisitor)
    }
}
