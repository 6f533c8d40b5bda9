//! JSON to fields, with errors that name the place: `tasks[3].stdin: …`.
//!
//! serde says what is wrong and on which line, not in which field. So each field
//! and each element adds its own name to an error on its way up.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::RequestError;

/// Starts a message that already has a place. No message of serde's does.
const PLACED: char = '\u{1}';

/// Adds a part of the place to an error: `.field` or `[index]`.
pub(super) fn placed<T, E: Error>(part: impl fmt::Display, result: Result<T, E>) -> Result<T, E> {
    result.map_err(|error| {
        let message = error.to_string();
        match message.strip_prefix(PLACED) {
            Some(inner) => E::custom(format_args!("{PLACED}{part}{inner}")),
            None => E::custom(format_args!("{PLACED}{part}: {message}")),
        }
    })
}

/// The value of a field of a struct.
pub(super) fn field<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    name: &'static str,
    map: &mut A,
) -> Result<T, A::Error> {
    placed(format_args!(".{name}"), map.next_value())
}

/// Takes a field that must not come twice.
pub(super) fn set<T, E: Error>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() {
        return Err(E::custom(format_args!(
            "{PLACED}.{name}: the field is there twice"
        )));
    }
    Ok(())
}

/// An array of at most `limit` elements.
#[derive(Debug)]
pub(super) struct Elements<T> {
    limit: usize,
    what: &'static str,
    element: PhantomData<T>,
}

impl<T> Elements<T> {
    pub(super) fn new(limit: usize, what: &'static str) -> Self {
        Self {
            limit,
            what,
            element: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Elements<T> {
    type Value = Vec<T>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Vec<T>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of {}", self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = placed(format_args!("[{}]", elements.len()), seq.next_element())?
        {
            if elements.len() == self.limit {
                let (limit, what) = (self.limit, self.what);
                return Err(Error::custom(format_args!(
                    "more than {limit} {what} are not taken"
                )));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

/// Reads a JSON text as `T`.
///
/// # Errors
/// If it isn't JSON or not of that shape: says where.
pub fn from_json<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, RequestError> {
    serde_json::from_slice(json).map_err(|error| explain(&error))
}

fn explain(error: &serde_json::Error) -> RequestError {
    let message = error.to_string();
    RequestError::Invalid(match message.strip_prefix(PLACED) {
        Some(place) => place.strip_prefix('.').unwrap_or(place).to_owned(),
        None if error.is_data() => message,
        None => format!("the body is not JSON: {message}"),
    })
}
