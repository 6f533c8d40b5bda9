//! How the earlier system's messages look in the OpenAPI document.
//!
//! Members that aren't known are passed over, so none of these is closed.

use std::borrow::Cow;

use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::connect::Code;
use crate::task_request::schema::parsed;

macro_rules! schemas {
    ($($(#[$doc:meta])* $type:ident, $name:literal, $schema:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(in crate::http) struct $type;

            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    parsed($schema)
                }
            }

            impl ToSchema for $type {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed($name)
                }
            }
        )*
    };
}

schemas! {
    /// A batch of runs.
    BatchRequest, "EarlierBatch", batch();
    /// What came of its runs.
    BatchResults, "EarlierResults", results();
    /// `Task.Wasip1.Request`
    RunTask, "Task.Wasip1.Request", object("A task.", json!({
        "info": metadata(),
        "qos": nullable(object("How it is to be run.", json!({
            "priority": {"type": ["boolean", "null"], "description": "Before others."},
            "deadline": {"type": ["string", "null"], "format": "date-time", "description": "How long it is waited for."},
            "immediate": {"type": ["boolean", "null"], "description": "Now or not at all."},
        }))),
        "params": nullable(object("What is to be run.", json!({
            "binary": file("The module."),
            "args": nullable(strings("`argv[0]` first.")),
            "envs": nullable(strings("Each `NAME=value`.")),
            "stdin": base64(),
            "rootfs": file("A zip of what the guest finds below `/`."),
            "artifacts": nullable(strings("Paths or globs below `/` to bring back.")),
        }))),
    }));
    /// `Task.Wasip1.Response`
    RunReply, "Task.Wasip1.Response", object("What came of a task.", json!({
        "info": metadata(),
        "error": {"type": "string", "description": "What the guest did wrong."},
        "ok": object("What the guest left when it exited.", json!({
            "status": {"type": "integer", "format": "int32", "description": "The exit code."},
            "stdout": base64(),
            "stderr": base64(),
            "artifacts": file("The files that were asked for, as a zip."),
        })),
    }));
    /// `Filesystem.Upload.Request`
    StoreFile, "Filesystem.Upload.Request", object("A file.", json!({
        "upload": file("`ref` is a name for it; `media` is `application/wasm` or `application/zip`."),
    }));
    /// `Filesystem.Upload.Response`
    StoreReply, "Filesystem.Upload.Response", object("Where a file is.", json!({
        "ref": {"type": "string", "description": "The digest."},
    }));
    /// An error of the Connect protocol.
    ConnectProblem, "ConnectError", closed("An error of the Connect protocol.", json!({
        "code": {"type": "string", "enum": Code::ALL.map(Code::name)},
        "message": {"type": "string", "description": "What happened, to which thing, and what to do."},
    }));
}

fn object(description: &str, properties: Value) -> Value {
    let mut schema = json!({"type": "object", "description": description});
    schema["properties"] = properties;
    schema
}

/// All of its members are there.
fn closed(description: &str, properties: Value) -> Value {
    let names = properties.as_object().into_iter().flatten();
    let names: Value = names.map(|(name, _)| name.as_str()).collect();
    let mut schema = object(description, properties);
    schema["required"] = names;
    schema
}

/// `null` stands for what isn't there.
fn nullable(mut schema: Value) -> Value {
    let of = schema["type"].take();
    schema["type"] = json!([of, "null"]);
    schema
}

fn strings(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description})
}

/// In either alphabet, with or without padding.
fn base64() -> Value {
    let text = |others: &str| {
        let digit = format!("[A-Za-z0-9{others}]");
        format!("({digit}{{4}})*({digit}{{2}}={{0,2}}|{digit}{{3}}=?)?")
    };
    json!({
        "type": ["string", "null"],
        "contentEncoding": "base64",
        "pattern": format!("^({}|{})$", text("+/"), text("_-")),
    })
}

fn file(description: &str) -> Value {
    nullable(object(
        description,
        json!({
            "ref": {"type": ["string", "null"], "description": "A name or digest."},
            "media": {"type": ["string", "null"], "description": "The media type of the content."},
            "blob": base64(),
        }),
    ))
}

fn metadata() -> Value {
    let text = |description: &str| json!({"type": ["string", "null"], "description": description});
    nullable(object(
        "About a task.",
        json!({
            "id": text("What the broker calls it."),
            "requester": text("Who asked for it: an address."),
            "provider": text("Who ran it."),
            "reference": text("What the client calls it."),
        }),
    ))
}

fn batch() -> Value {
    let run = object(
        "A run.",
        json!({
            "args": nullable(strings("Arguments after `argv[0]`.")),
            "envs": nullable(strings("Each `NAME=value`; of two with one name the first counts.")),
            "stdin": {"type": ["string", "null"]},
            "loadfs": nullable(strings("Names of blobs, each found at `/name`.")),
            "datafile": {"type": ["string", "null"], "description": "A path to bring back."},
        }),
    );
    let mut batch = object(
        "A module and its runs.",
        json!({
            "bin": {"type": "string", "minLength": 1, "description": "A module's name or digest; `argv[0]` too."},
            "envs": nullable(strings("Variables of all runs; those of a run go first.")),
            "exec": {"type": "array", "minItems": 1, "items": run},
            "trace": {"type": ["boolean", "null"], "description": "Tell when what happened: for a single run."},
        }),
    );
    batch["required"] = json!(["bin", "exec"]);
    batch
}

fn results() -> Value {
    let event = closed(
        "A step.",
        json!({
            "time": {"type": "integer", "format": "int64", "minimum": 0, "description": "Unix time in microseconds."},
            "label": {"type": "string"},
        }),
    );
    let mut exited = closed(
        "The guest exited.",
        json!({
            "status": {"type": "integer", "format": "int32", "description": "The exit code."},
            "stdout": {"type": "string"},
            "stderr": {"type": "string"},
        }),
    );
    exited["properties"]["datafile"] = json!({"type": "string", "contentEncoding": "base64", "description": "The file that was asked for."});
    exited["properties"]["trace"] = json!({"type": "array", "items": event});
    let why = json!({"type": "string", "description": "Why there is no exit code."});
    json!({
        "type": "array",
        "items": {"oneOf": [
            closed("It ran to its end.", json!({"result": exited})),
            closed("It wasn't run, or was stopped.", json!({"error": why})),
        ]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_read_as_they_are_written() {
        for schema in [batch(), results(), metadata(), file("x"), base64()] {
            assert_eq!(json!(parsed(schema.clone())), schema);
        }
    }
}
