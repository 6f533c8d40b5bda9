//! Durations, sizes and features as clients write them.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, Unexpected, Visitor};
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

/// Reads a whole number, however JSON writes it: `3`, `3.0`, `3e0`.
#[derive(Debug)]
pub(super) struct Whole<T>(PhantomData<T>);

impl<T> Default for Whole<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: TryFrom<i128>> DeserializeSeed<'de> for Whole<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_any(self)
    }
}

impl<T: TryFrom<i128>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = size_of::<T>() * 8;
        write!(
            f,
            "a whole number of at most {bits} bits, of the right sign"
        )
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let unexpected = Unexpected::Unsigned(number);
        T::try_from(number.into()).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let unexpected = Unexpected::Signed(number);
        T::try_from(number.into()).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        let bad = || E::invalid_value(Unexpected::Float(number), &self);
        let whole = whole(number).ok_or_else(bad)?;
        T::try_from(whole.into()).map_err(|_| bad())
    }
}

/// A float that is a whole number, as far as floats are exact.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
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

    fn visit_f64<E: Error>(self, bytes: f64) -> Result<SizeField, E> {
        let whole = whole(bytes).and_then(|bytes| u64::try_from(bytes).ok());
        let bytes = whole.ok_or_else(|| E::invalid_value(Unexpected::Float(bytes), &self))?;
        Ok(SizeField { bytes })
    }
}

impl<'de> Deserialize<'de> for SizeField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SizeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<i128>>(json: &str) -> Result<T, String> {
        let mut from = serde_json::Deserializer::from_str(json);
        let read = Whole::<T>::default().deserialize(&mut from);
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats() {
        for json in ["7", "7.0", "7e0", "0.7e1"] {
            assert_eq!(read::<u32>(json), Ok(7), "{json}");
        }
        assert_eq!(read::<i64>("-7.0"), Ok(-7));
        assert_eq!(read::<u64>("18446744073709551615"), Ok(u64::MAX));
        for json in ["7.5", "-1", "4294967296", "1e300", "\"7\"", "null", "true"] {
            assert!(read::<u32>(json).is_err(), "{json}");
        }
        let size: SizeField = serde_json::from_str("2.0").unwrap();
        assert_eq!(size.bytes, 2);
        assert!(serde_json::from_str::<SizeField>("2.5").is_err());
    }
}
