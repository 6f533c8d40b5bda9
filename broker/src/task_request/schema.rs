//! How requests look in the OpenAPI document.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wasipool_shared::capacity::Features;
use wasipool_shared::limits::{
    ARCHIVE_ENTRIES_MAX, ARGS_MAX, ARTIFACT_PATTERNS_MAX, ENV_MAX, JOB_TASKS_MAX, MEMORY_BYTES_MAX,
    OUTPUT_BYTES_MAX, PATH_BYTES_MAX, TIMEOUT_MS_MAX,
};

use super::fields::{JobFields, TaskFields};
use super::job::{LABELS_MAX, PLACEMENT_TIMEOUT_MS_MAX, QUORUM_MAX, RETRIES_MAX, TEXT_BYTES_MAX};

/// A span of time in a query: see its description in the document.
#[derive(Debug)]
pub struct DurationText;
/// A number of bytes in a query.
#[derive(Debug)]
pub struct SizeText;
/// A number of bytes in a query, which may be none.
#[derive(Debug)]
pub struct OutputText;
/// An argument in a query.
#[derive(Debug)]
pub struct ArgText;
/// A variable of the environment in a query.
#[derive(Debug)]
pub struct EnvText;
/// A path or glob in a query.
#[derive(Debug)]
pub struct PatternText;
/// What a provider must be or have, in a query.
#[derive(Debug)]
pub struct RequiresText;

/// Text without a NUL character.
const NO_NUL: &str = "^[^\\u0000]*$";
/// Spans of time that everybody takes. Longer forms, such as `1m 30s`, are taken too.
const DURATION: &str = "^([1-9][0-9]{0,3}(ms|s|[.][0-9]{1,3})?|0[.][0-9]{0,2}[1-9]|[1-9][0-9]{0,2}m|([1-9]|1[0-9]|2[0-4])h)$";
/// Sizes that everybody takes.
const SIZE: &str = "^([1-9][0-9]{0,7}|[1-4][0-9]{8}|[1-4]?[0-9]?[1-9](KiB|MiB|KB|MB))$";

fn duration_text() -> Value {
    json!({
        "type": "string",
        "pattern": DURATION,
        "description": "A span of time: `500ms`, `30s`, `10m`, `1m 30s`; without a unit in seconds.",
    })
}

fn size_text() -> Value {
    json!({
        "type": "string",
        "pattern": SIZE,
        "description": "A number of bytes, or with a unit: `64KiB`, `256MiB`, `1.5GiB`, `10MB`.",
    })
}

fn output_text() -> Value {
    let mut schema = size_text();
    schema["pattern"] = Value::from(SIZE.replacen('(', "(0|", 1));
    schema
}

/// As text or as a number of seconds.
fn duration(least: &Value, most_ms: u64) -> Value {
    json!({"oneOf": [
        duration_text(),
        {"type": "number", "minimum": least, "maximum": most_ms / 1_000, "description": "In seconds."},
    ]})
}

/// As text or as a number of bytes.
fn size(least: u64, most: u64) -> Value {
    json!({"oneOf": [
        size_text(),
        {"type": "integer", "minimum": least, "maximum": most, "description": "In bytes."},
    ]})
}

fn strings(most: usize, description: &str) -> Value {
    let items = json!({"type": "string", "pattern": NO_NUL});
    json!({"type": "array", "items": items, "maxItems": most, "description": description})
}

fn payload() -> Value {
    let one = |name: &str, value: Value| {
        json!({
            "type": "object",
            "required": [name],
            "properties": {name: value},
            "additionalProperties": false,
        })
    };
    let base64 =
        json!({"type": "string", "contentEncoding": "base64", "pattern": "^([A-Za-z0-9+/]{4})*$"});
    json!({"oneOf": [
        {"type": "string", "description": "Text."},
        one("base64", base64),
        one("blob", json!({"type": "string", "description": "A blob's name or digest."})),
    ]})
}

fn task() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "A run of the module. `defaults` of the job hold for every task; a task's own field replaces the default, `env` is merged.",
        "properties": {
            "args": strings(ARGS_MAX, "Arguments after `argv[0]`; `{index}` becomes the task's index."),
            "argv0": {"type": "string", "pattern": NO_NUL, "description": "`argv[0]`: the module's name if nothing is said."},
            "env": {
                "type": "object",
                "maxProperties": ENV_MAX,
                "propertyNames": {"type": "string", "pattern": "^[^=\\u0000]+$"},
                "additionalProperties": {"type": "string", "pattern": NO_NUL},
                "description": "Environment.",
            },
            "stdin": payload(),
            "files": {"oneOf": [
                {"type": "string", "description": "A blob (zip, tar, tar.gz) that becomes the guest's `/`."},
                {
                    "type": "object",
                    "maxProperties": ARCHIVE_ENTRIES_MAX,
                    "propertyNames": {"type": "string", "maxLength": PATH_BYTES_MAX / 4, "pattern": "^[A-Za-z0-9_-]+(\\.[a-z]+)?$"},
                    "additionalProperties": payload(),
                    "description": "Paths below `/` and their contents.",
                },
            ]},
            "artifacts": {
                "type": "array",
                "maxItems": ARTIFACT_PATTERNS_MAX,
                "items": pattern(),
                "description": "Paths or globs below `/` to bring back.",
            },
            "timeout": duration(&json!(0.001), TIMEOUT_MS_MAX),
            "memory": size(1, MEMORY_BYTES_MAX),
            "output": size(0, OUTPUT_BYTES_MAX),
        },
    })
}

fn features() -> Vec<&'static str> {
    Features::NAMED.iter().map(|(_, name)| *name).collect()
}

fn pattern() -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": PATH_BYTES_MAX / 4,
        "pattern": "^/?[A-Za-z0-9_*?-]+(/[A-Za-z0-9_?-]+)*$",
    })
}

fn requirement() -> Value {
    let names: Vec<_> = ["native", "browser"]
        .into_iter()
        .chain(features())
        .collect();
    json!({"type": "string", "enum": names})
}

fn job() -> Value {
    let text = |description: &str| json!({"type": "string", "maxLength": TEXT_BYTES_MAX / 4, "description": description});
    json!({"allOf": [
        {
            "type": "object",
            "additionalProperties": false,
            "required": ["module"],
            "properties": {
                "name": text("What its owner calls it."),
                "module": {"type": "string", "description": "A module's name or digest."},
                "defaults": {"$ref": "#/components/schemas/NewTask"},
                "tasks": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/NewTask"},
                    "minItems": 1,
                    "maxItems": JOB_TASKS_MAX,
                },
                "count": {"type": "integer", "minimum": 1, "maximum": JOB_TASKS_MAX, "description": "How often to run `defaults`."},
                "priority": {"type": "integer", "minimum": -100, "maximum": 100, "description": "Its share against other jobs; 0 if nothing is said."},
                "retries": {"type": "integer", "minimum": 0, "maximum": RETRIES_MAX, "description": "How often a task is tried again when its provider is lost; 3 if nothing is said."},
                "quorum": {"type": "integer", "minimum": 1, "maximum": QUORUM_MAX, "description": "Equal results, from different providers, that each task needs."},
                "placement_timeout": duration(&json!(0), PLACEMENT_TIMEOUT_MS_MAX),
                "requires": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {"kind": {"$ref": "#/components/schemas/ProviderKind"}, "features": {"type": "array", "items": {"type": "string", "enum": features()}}},
                    "description": "Who may run it.",
                },
                "deterministic": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["seed"],
                    "properties": {"seed": {"type": "integer", "format": "int64", "minimum": 0}},
                    "description": "Randomness and clocks from a seed.",
                },
                "labels": {
                    "type": "object",
                    "maxProperties": LABELS_MAX,
                    "propertyNames": text("A name."),
                    "additionalProperties": text("A value."),
                    "description": "The owner's own marks.",
                },
            },
            "description": "One module and its tasks: exactly one of `tasks` and `count`.",
        },
        {"oneOf": [
            {"type": "object", "required": ["tasks"]},
            {"type": "object", "required": ["count"]},
        ]},
    ]})
}

/// A schema from its JSON.
pub(crate) fn parsed(schema: Value) -> RefOr<Schema> {
    serde_json::from_value(schema).unwrap_or_else(|error| {
        tracing::error!(%error, "a schema of the OpenAPI document can't be read");
        RefOr::default()
    })
}

macro_rules! schemas {
    ($($type:ty, $name:literal, $schema:expr, $($needed:ty)*;)*) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    parsed($schema)
                }
            }

            impl ToSchema for $type {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }

                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    let _ = &schemas;
                    $(
                        schemas.push((<$needed as ToSchema>::name().into_owned(), <$needed as PartialSchema>::schema()));
                        <$needed as ToSchema>::schemas(schemas);
                    )*
                }
            }
        )*
    };
}

schemas! {
    JobFields, "NewJob", job(), TaskFields wasipool_shared::capacity::ProviderKind;
    TaskFields, "NewTask", task(),;
    DurationText, "Duration", duration_text(),;
    SizeText, "Size", size_text(),;
    OutputText, "OutputSize", output_text(),;
    ArgText, "Argument", json!({"type": "string", "pattern": NO_NUL}),;
    EnvText, "Variable", json!({"type": "string", "pattern": "^[^=\\u0000]+=[^\\u0000]*$"}),;
    PatternText, "Pattern", pattern(),;
    RequiresText, "Requirement", requirement(),;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(schema: &Value) -> BTreeSet<&str> {
        let properties = schema["properties"].as_object().unwrap();
        properties.keys().map(String::as_str).collect()
    }

    #[test]
    fn every_field_is_described() {
        assert_eq!(names(&task()), TaskFields::NAMES.iter().copied().collect());
        let job = &job()["allOf"][0];
        assert_eq!(names(job), JobFields::NAMES.iter().copied().collect());
    }

    #[test]
    fn schemas_are_read_as_they_are_written() {
        for schema in [job(), task(), duration_text(), size_text()] {
            assert_eq!(json!(parsed(schema.clone())), schema);
        }
    }
}
