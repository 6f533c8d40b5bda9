//! The errors of the earlier system's endpoints in the OpenAPI document: texts,
//! and errors of the Connect protocol.
//!
//! Who isn't let in never reaches an endpoint: that is a problem document, as
//! everywhere.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{IntoResponses, ToSchema as _};
use wasipool_shared::api;

use super::connect::Code;
use super::schema::ConnectProblem;
use crate::http::problem::CODES;

/// What stands in an answer instead of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Document,
    Text,
    Connect,
}

impl Form {
    fn media(self) -> &'static str {
        match self {
            Self::Document => "application/problem+json",
            Self::Text => "text/plain",
            Self::Connect => "application/json",
        }
    }

    fn schema(self) -> RefOr<Schema> {
        match self {
            Self::Document => Ref::from_schema_name(api::Problem::name()).into(),
            Self::Text => ObjectBuilder::new().schema_type(Type::String).into(),
            Self::Connect => Ref::from_schema_name(ConnectProblem::name()).into(),
        }
    }
}

/// Whether a problem with that code comes from the checks in front of the endpoint, from
/// the endpoint, or from either.
fn forms(code: &str, own: Form) -> Vec<Form> {
    match code {
        "unauthorized" | "forbidden" => vec![Form::Document],
        // A token's rate; queries and paths that can't be read.
        "too-many" => vec![Form::Document, own],
        "invalid-request" if own == Form::Text => vec![Form::Document, own],
        _ => vec![own],
    }
}

/// Responses with these codes, each under its status.
fn responses(codes: &[&str], own: Form) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, (Vec<String>, Vec<Form>)> = BTreeMap::new();
    for (code, status, meaning) in CODES.iter().filter(|(code, ..)| codes.contains(code)) {
        for form in forms(code, own) {
            let status = StatusCode::from_u16(*status).unwrap_or_default();
            let (status, described) = match form {
                Form::Document => (status, format!("`{code}`: {meaning}")),
                Form::Text => (status, meaning.to_string()),
                Form::Connect => {
                    let code = Code::of(status);
                    (code.status(), format!("`{}`: {meaning}", code.name()))
                }
            };
            let (descriptions, forms) = by_status.entry(status.as_u16()).or_default();
            if !descriptions.contains(&described) {
                descriptions.push(described);
            }
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    let response = |(descriptions, forms): (Vec<String>, Vec<Form>)| {
        let response = ResponseBuilder::new().description(descriptions.join("\n\n"));
        let response = forms.into_iter().fold(response, |response, form| {
            let content = ContentBuilder::new().schema(Some(form.schema())).build();
            response.content(form.media(), content)
        });
        response.build().into()
    };
    by_status
        .into_iter()
        .map(|(status, parts)| (status.to_string(), response(parts)))
        .collect()
}

macro_rules! response_sets {
    ($($(#[$doc:meta])* $name:ident: $form:ident $($code:literal)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(super) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    responses(&[$($code),*], Form::$form)
                }
            }
        )*

        #[cfg(test)]
        const USED: &[&str] = &[$($($code),*),*];
    };
}

response_sets! {
    /// Content isn't taken.
    TextUpload: Text "invalid-request" "unauthorized" "forbidden" "too-large" "invalid-module"
        "too-many" "internal" "no-capacity" "storage-failed" "disk-full";
    /// The same where the body has to be of certain types.
    TextUploadOfType: Text "invalid-request" "unauthorized" "forbidden" "too-large"
        "unsupported-media-type" "invalid-module" "too-many" "internal" "no-capacity"
        "storage-failed" "disk-full";
    /// Content isn't there.
    TextGet: Text "invalid-request" "unauthorized" "forbidden" "unknown-blob"
        "range-not-satisfiable" "too-many" "internal";
    /// Tasks aren't taken, or nobody could run them.
    TextRun: Text "invalid-request" "unauthorized" "forbidden" "unknown-blob" "cancelled"
        "too-large" "invalid-module" "queue-full" "too-many" "internal" "no-capacity"
        "storage-failed" "rejected" "lost" "disk-full";
}

/// A call of the Connect protocol has no answer.
#[derive(Debug)]
pub(super) struct Connect;

impl IntoResponses for Connect {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let codes: Vec<_> = CODES.iter().map(|(code, ..)| *code).collect();
        let mut responses = responses(&codes, Form::Connect);
        let described = |text: &str| ResponseBuilder::new().description(text);
        let accept_post = "`Accept-Post` says of which types the body may be.";
        responses.insert("415".to_owned(), described(accept_post).build().into());
        let content = ContentBuilder::new().schema(Some(Form::Connect.schema()));
        let unimplemented = described("`unimplemented`: the compression isn't known")
            .content(Form::Connect.media(), content.build())
            .build();
        responses.insert("501".to_owned(), unimplemented.into());
        responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_problems() {
        for code in USED {
            assert!(CODES.iter().any(|(known, ..)| known == code), "{code}");
        }
    }

    #[test]
    fn each_endpoint_tells_errors_in_its_own_way() {
        let of = |responses: &BTreeMap<String, RefOr<Response>>, status: &str| {
            let RefOr::T(response) = &responses[status] else {
                panic!("{status} is a reference");
            };
            let media: Vec<_> = response.content.keys().cloned().collect();
            (media.join(" "), response.description.clone())
        };
        let text = TextRun::responses();
        assert_eq!(of(&text, "401").0, "application/problem+json");
        assert_eq!(of(&text, "404").0, "text/plain");
        assert_eq!(of(&text, "429").0, "application/problem+json text/plain");
        let connect = Connect::responses();
        assert_eq!(of(&connect, "403").0, "application/problem+json");
        let (media, described) = of(&connect, "429");
        assert_eq!(media, "application/json application/problem+json");
        assert!(described.contains("`resource_exhausted`: something is over a limit of size"));
        assert_eq!(of(&connect, "415").0, "");
        for (code, status, _) in CODES {
            let status = StatusCode::from_u16(*status).unwrap();
            let status = Code::of(status).status().as_u16().to_string();
            assert!(connect.contains_key(&status), "{code}");
        }
    }
}
