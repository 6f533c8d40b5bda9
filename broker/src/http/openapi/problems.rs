//! Which problems an endpoint may answer with.

use std::collections::BTreeMap;

use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};
use wasipool_shared::api;

use crate::http::problem::CODES;

/// Responses with these codes, each under its status.
fn responses(codes: &[&str]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (code, status, meaning) in CODES.iter().filter(|(code, ..)| codes.contains(code)) {
        let described = format!("`{code}`: {meaning}");
        by_status.entry(*status).or_default().push(described);
    }
    let response = |described: Vec<String>| {
        let schema = Ref::from_schema_name(api::Problem::name());
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new()
            .description(described.join("\n\n"))
            .content("application/problem+json", content)
            .build()
    };
    by_status
        .into_iter()
        .map(|(status, described)| (status.to_string(), response(described).into()))
        .collect()
}

macro_rules! problem_sets {
    ($($(#[$doc:meta])* $name:ident: $($code:literal)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(in crate::http) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    responses(&[$($code),*])
                }
            }
        )*

        #[cfg(test)]
        const USED: &[&str] = &[$($($code),*),*];
    };
}

problem_sets! {
    /// The request isn't allowed, or something broke.
    Denied: "unauthorized" "forbidden" "too-many" "internal";
    /// The request isn't understood.
    Invalid: "invalid-request";
    /// There is no such blob.
    NoBlob: "unknown-blob";
    /// There is no such job.
    NoJob: "unknown-job";
    /// There is no such task, or nothing of that name.
    NoTask: "unknown-job" "not-found";
    /// The body is too large.
    TooLarge: "too-large";
    /// There is no such provider, or no such ban.
    NoProvider: "not-found";
    /// It isn't possible as things are.
    Conflict: "conflict";
    /// The part that is asked for isn't there.
    Range: "range-not-satisfiable";
    /// Content isn't taken.
    Upload: "too-large" "invalid-module" "disk-full" "too-many";
    /// A job isn't taken.
    Submit: "unknown-blob" "conflict" "too-large" "invalid-module" "queue-full" "too-many"
        "no-capacity" "storage-failed" "disk-full";
    /// A task isn't taken, or has no answer to give.
    Run: "unknown-blob" "cancelled" "too-large" "invalid-module" "failed" "trapped"
        "out-of-memory" "output-exceeded" "disputed" "queue-full" "too-many" "no-capacity"
        "rejected" "lost" "timed-out" "disk-full";
    /// The body is of another type.
    WrongType: "unsupported-media-type";
    /// There are too many.
    TooMany: "too-many";
    /// The broker can't answer now.
    Unavailable: "no-capacity" "storage-failed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_described_and_some_endpoint_has_it() {
        for code in USED {
            assert!(CODES.iter().any(|(known, ..)| known == code), "{code}");
        }
        // Any address may have these.
        let anywhere = ["not-found", "method-not-allowed"];
        for (code, ..) in CODES {
            assert!(USED.contains(code) || anywhere.contains(code), "{code}");
        }
    }
}
