//! The OpenAPI document is the one that `docs/openapi.json` holds.
//!
//! After a change of the API:
//! `UPDATE_OPENAPI=1 cargo test --workspace --test openapi`

#![expect(clippy::unwrap_used, reason = "tests end at the first surprise")]

use std::path::Path;

use serde_json::Value;
use wasipool_broker::http::openapi;

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let now = openapi::json();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "the API has changed: look at the difference after \
         `UPDATE_OPENAPI=1 cargo test --workspace --test openapi`, and commit it"
    );
}

/// Every `$ref` leads somewhere, every operation has a name, a summary, a tag, and
/// a description of each answer.
#[test]
fn the_document_is_whole() {
    let document: Value = serde_json::from_str(&openapi::json()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    check_references(&document, &document);
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{what}: {name} is there twice");
            for member in ["summary", "description"] {
                assert!(operation[member].is_string(), "{what}: no {member}");
            }
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{what}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let described = response["description"].as_str().unwrap();
                assert!(!described.is_empty(), "{what}: {status}");
            }
        }
    }
    assert!(names.len() > 30, "{names:?}");
}

fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
            for member in members.values() {
                check_references(document, member);
            }
        }
        Value::Array(items) => {
            for item in items {
                check_references(document, item);
            }
        }
        _ => {}
    }
}
