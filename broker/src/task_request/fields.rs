//! The fields of tasks and jobs as they are written: types are checked, limits
//! and references are not yet.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::limits::{
    ARCHIVE_ENTRIES_MAX, ARGS_MAX, ARTIFACT_PATTERNS_MAX, ENV_MAX, JOB_TASKS_MAX,
};

use super::parse::{Elements, field, placed, set};
use super::units::{DurationField, SizeField, Whole};

/// Declares a struct whose fields are all optional, and how to read it: unknown
/// fields are refused by name, errors say in which field they are.
macro_rules! fields {
    ($(#[$doc:meta])* $what:literal $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty $(= $read:expr)?,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
        }

        impl $name {
            /// The names of all fields.
            pub const NAMES: &[&str] = &[$(stringify!($field)),*];
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut fields = $name::default();
                        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                            match &*name {
                                $(stringify!($field) => {
                                    let value: $type = fields!(@read map, $field $(, $read)?);
                                    set(&mut fields.$field, stringify!($field), value)?;
                                })*
                                unknown => return Err(Error::unknown_field(unknown, $name::NAMES)),
                            }
                        }
                        Ok(fields)
                    }
                }
                from.deserialize_map(Fields)
            }
        }
    };
    (@read $map:ident, $field:ident) => { field(stringify!($field), &mut $map)? };
    (@read $map:ident, $field:ident, $read:expr) => {
        placed(concat!(".", stringify!($field)), $map.next_value_seed($read))?
    };
}

fields! {
    /// A task.
    "an object with the fields of a task"
    TaskFields {
        /// Arguments after `argv[0]`.
        args: Vec<String> = Elements::<String>::new(ARGS_MAX, "arguments (strings)"),
        /// `argv[0]`.
        argv0: String,
        /// Environment.
        env: EnvField,
        /// What the guest reads from stdin.
        stdin: PayloadField,
        /// What the guest finds below `/`.
        files: FilesField,
        /// Files to bring back.
        artifacts: Vec<String> = Elements::<String>::new(ARTIFACT_PATTERNS_MAX, "paths (strings)"),
        /// Run time.
        timeout: DurationField,
        /// Linear memory.
        memory: SizeField,
        /// stdout and stderr, each.
        output: SizeField,
    }
}

fields! {
    /// A job.
    "an object with the fields of a job"
    JobFields {
        /// What its owner calls it.
        name: String,
        /// What to run.
        module: String,
        /// What holds for every task.
        defaults: TaskFields,
        /// Each task.
        tasks: Vec<TaskFields> = Elements::<TaskFields>::new(JOB_TASKS_MAX as usize, "tasks"),
        /// How often to run `defaults`.
        count: u32 = Whole::<u32>::default(),
        /// Its share against others.
        priority: i64 = Whole::<i64>::default(),
        /// How often a task is tried again when its provider is lost.
        retries: u32 = Whole::<u32>::default(),
        /// Equal results that each task needs.
        quorum: u32 = Whole::<u32>::default(),
        /// How long tasks wait for a provider that could run them.
        placement_timeout: DurationField,
        /// Who may run it.
        requires: RequiresField,
        /// Randomness and clocks from a seed.
        deterministic: DeterministicField,
        /// The owner's own marks.
        labels: BTreeMap<String, String>,
    }
}

fields! {
    /// Who may run a job.
    "an object with `kind` or `features`"
    RequiresField {
        /// Where.
        kind: ProviderKind,
        /// With which features of WebAssembly, by their names.
        features: Vec<String>,
    }
}

fields! {
    /// Randomness and clocks from a seed.
    "an object with `seed`"
    DeterministicField {
        /// The seed.
        seed: u64 = Whole::<u64>::default(),
    }
}

impl TaskFields {
    /// Whether the task is just the defaults.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            args,
            argv0,
            env,
            stdin,
            files,
            artifacts,
            timeout,
            memory,
            output,
        } = self;
        args.is_none()
            && argv0.is_none()
            && env.is_none()
            && stdin.is_none()
            && files.is_none()
            && artifacts.is_none()
            && timeout.is_none()
            && memory.is_none()
            && output.is_none()
    }
}

/// Environment variables, each name once.
#[derive(Debug, Clone, Default)]
pub struct EnvField(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for EnvField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        named(from, "an object of strings", ENV_MAX, "variables")
            .map(|named| Self(named.into_iter().collect()))
    }
}

/// Bytes for a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadField {
    /// The bytes.
    Bytes(Bytes),
    /// A blob, by name or digest.
    Blob(String),
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = PayloadField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, {\"base64\": …} or {\"blob\": …}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PayloadField, E> {
        Ok(PayloadField::Bytes(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<PayloadField, E> {
        Ok(PayloadField::Bytes(text.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PayloadField, A::Error> {
        let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? else {
            return Err(Error::custom("the object must hold \"base64\" or \"blob\""));
        };
        let payload = match &*key {
            "base64" => {
                let text: std::borrow::Cow<'de, str> = field("base64", &mut map)?;
                let decoded = BASE64_STANDARD
                    .decode(text.as_bytes())
                    .map_err(Error::custom);
                PayloadField::Bytes(placed(".base64", decoded)?.into())
            }
            "blob" => PayloadField::Blob(field("blob", &mut map)?),
            unknown => return Err(Error::unknown_field(unknown, &["base64", "blob"])),
        };
        if map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            return Err(Error::custom(
                "the object must hold one of \"base64\" and \"blob\"",
            ));
        }
        Ok(payload)
    }
}

impl<'de> Deserialize<'de> for PayloadField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PayloadVisitor)
    }
}

/// What the guest finds below `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesField {
    /// What an archive holds, by its name or digest.
    Archive(String),
    /// Path and content.
    Map(Vec<(String, PayloadField)>),
}

struct FilesVisitor;

impl<'de> Visitor<'de> for FilesVisitor {
    type Value = FilesField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name or digest of an archive, or an object of paths and contents")
    }

    fn visit_str<E: Error>(self, reference: &str) -> Result<FilesField, E> {
        Ok(FilesField::Archive(reference.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FilesField, A::Error> {
        entries(map, ARCHIVE_ENTRIES_MAX, "files").map(FilesField::Map)
    }
}

impl<'de> Deserialize<'de> for FilesField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FilesVisitor)
    }
}

/// An object whose keys are not known beforehand.
fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
    expecting: &'static str,
    limit: usize,
    what: &'static str,
) -> Result<Vec<(String, T)>, D::Error> {
    struct Named<T>(
        &'static str,
        usize,
        &'static str,
        std::marker::PhantomData<T>,
    );

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
        type Value = Vec<(String, T)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            entries(map, self.1, self.2)
        }
    }

    from.deserialize_map(Named(expecting, limit, what, std::marker::PhantomData))
}

fn entries<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    mut map: A,
    limit: usize,
    what: &str,
) -> Result<Vec<(String, T)>, A::Error> {
    let mut found = Vec::new();
    while let Some(key) = map.next_key::<String>()? {
        if found.len() == limit {
            return Err(Error::custom(format_args!(
                "more than {limit} {what} are not taken"
            )));
        }
        let value = placed(format_args!("[{key:?}]"), map.next_value())?;
        found.push((key, value));
    }
    Ok(found)
}
