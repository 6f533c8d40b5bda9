//! How types that are no plain structs look in the OpenAPI document.

use std::borrow::Cow;

use utoipa::openapi::schema::{ArrayBuilder, ArrayItems, KnownFormat, SchemaFormat};
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::events::TaskRun;
use crate::capacity::ProviderKind;
use crate::digest::Digest;
use crate::ids::{JobId, ProviderId};
use crate::transport::TransportKind;

fn text(pattern: &str, description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(description))
}

macro_rules! schemas {
    ($($type:ty, $name:literal, $schema:expr;)*) => {
        $(
            impl PartialSchema for $type {
                fn schema() -> RefOr<Schema> {
                    $schema.into()
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

const ID: &str = "^[0-9a-hjkmnp-tv-z]{26}$";

schemas! {
    JobId, "JobId", text(ID, "The name of a job; sorts by age.");
    ProviderId, "ProviderId", text(ID, "The name of a provider for one session; sorts by age.");
    Digest, "Digest", text("^sha256:[0-9a-f]{64}$", "The address of content: its SHA-256.");
    ProviderKind, "ProviderKind", ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["native", "browser"]))
        .description(Some("Where a provider runs."));
    TransportKind, "TransportKind", ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["webtransport", "websocket"]))
        .description(Some("What carries a session."));
    TaskRun, "TaskRun", ArrayBuilder::new()
        .prefix_items([count(), count(), Object::with_type(Type::String).into()])
        .items(ArrayItems::False)
        .min_items(Some(3))
        .description(Some("`[from_index, count, \"state\"]`: that many tasks from that index on."));
}

fn count() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(0))
        .into()
}
