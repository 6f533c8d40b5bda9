//! Values that some parameters are restricted to, and bytes.

use std::borrow::Cow;

use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use wasipool_shared::api;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $names:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(in crate::http) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .enum_values(Some($names))
                        .into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*
    };
}

names! {
    /// On or off.
    Flag: ["1", "0", "true", "false"];
    /// In which order results come.
    Order: ["task", "completion"];
    /// States of a job.
    JobState: api::JOB_STATES;
    /// States of a task.
    TaskState: api::TASK_STATES;
}

/// Bytes, whatever they are.
#[derive(Debug)]
pub(in crate::http) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .into()
    }
}

impl ToSchema for Binary {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Binary")
    }
}

/// One event of a stream, as clients read it.
#[derive(Debug)]
pub(in crate::http) struct ServerSentEvent;

impl PartialSchema for ServerSentEvent {
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(description))
        };
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("id", text("From where `Last-Event-ID` goes on."))
            .property("event", text("What happened."))
            .property("data", text("JSON, as the event's name says."))
            .into()
    }
}

impl ToSchema for ServerSentEvent {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ServerSentEvent")
    }
}
