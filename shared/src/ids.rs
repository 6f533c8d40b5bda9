//! Names of things: jobs, providers, sessions, attempts.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// Text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: expected 26 characters of Crockford's base32")]
pub struct ParseIdError {
    text: String,
    what: &'static str,
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// A [ULID](https://github.com/ulid/spec): 48 bits of Unix time in
        /// milliseconds and 80 random bits, so that names sort by age. Shown as
        /// 26 lower-case characters; on the wire a `u128` (varint).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
        pub struct $name(pub u128);

        impl $name {
            /// Makes a name from a time and a source of randomness, both of
            /// which the caller owns.
            #[must_use]
            pub fn from_parts(unix_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(unix_ms, random).0)
            }

            /// The time that it was made from, in Unix milliseconds.
            #[must_use]
            pub fn unix_ms(self) -> u64 {
                Ulid(self.0).timestamp_ms()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ulid::ULID_LEN];
                let text = Ulid(self.0).array_to_str(&mut buffer);
                text.make_ascii_lowercase();
                f.pad(text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ulid::from_string(text)
                    .map(|ulid| Self(ulid.0))
                    .map_err(|_| ParseIdError { text: text.into(), what: $what })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_u128(self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    u128::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

ulid_id! {
    /// The name of a job.
    JobId, "job id"
}
ulid_id! {
    /// The name of a provider: one connected session that offers slots. A
    /// provider that reconnects gets a new one.
    ProviderId, "provider id"
}

/// One task: a job and the task's index in it. Shown as `<job>.<index>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId {
    /// The job that the task belongs to.
    pub job: JobId,
    /// The task's place in its job, from 0.
    pub index: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.index)
    }
}

/// One try of a task on one provider: the fencing number that the broker
/// stamps on the assignment and the provider returns with the outcome.
///
/// It only grows within one broker process, so a result that comes late, from
/// an attempt that has been given up, is recognised and dropped.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct AttemptId(pub u64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_age_and_survive_text_and_json() {
        let older = JobId::from_parts(1_700_000_000_000, 9);
        let newer = JobId::from_parts(1_700_000_000_001, 0);
        assert!(older < newer);
        assert!(older.to_string() < newer.to_string());
        assert_eq!(older.to_string().len(), 26);
        assert_eq!(older.to_string().parse(), Ok(older));
        let json = serde_json::to_string(&older).unwrap();
        assert_eq!(json, format!("\"{older}\""));
        assert_eq!(serde_json::from_str::<JobId>(&json).unwrap(), older);
    }

    #[test]
    fn what_is_no_id_is_refused_by_name() {
        let error = "../etc/passwd".parse::<JobId>().unwrap_err();
        assert!(error.to_string().contains("job id"), "{error}");
    }
}
