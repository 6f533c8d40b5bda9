//! From a request to a job: what a client wrote, checked and resolved.
//!
//! - [`parse`]: JSON to fields, with errors that name the place.
//! - [`fields`]: the fields of tasks and jobs as they are written.
//! - [`units`]: durations, sizes, features.
//! - [`resolve`]: fields to what is run: limits checked, blobs found.
//! - [`job`]: a whole job.
//! - [`schema`]: how they look in the OpenAPI document.
//! - `files`: the guest's files.
//! - `limits`: what one task may bring.

pub mod fields;
mod files;
pub mod job;
mod limits;
pub mod parse;
pub mod resolve;
pub mod schema;
pub mod units;

pub use fields::{JobFields, PayloadField, TaskFields};
pub use job::resolve_job;
pub use limits::TaskRules;
pub use resolve::{Archives, Place, Resolved, Resolver};

use crate::store::StoreError;

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// It names a blob that isn't there.
    #[error("{place}: there is no blob {reference:?}")]
    UnknownBlob {
        /// Where in the request.
        place: String,
        /// What it names.
        reference: String,
    },
    /// Something in it is over a limit of size.
    #[error("{0}")]
    TooLarge(String),
    /// The blob that it wants to run is no module.
    #[error("{reference:?} is no module but {kind}")]
    NotAModule {
        /// What it names.
        reference: String,
        /// What that is.
        kind: &'static str,
    },
    /// A payload couldn't be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RequestError {
    /// A broken rule, with the place in the request.
    #[must_use]
    pub fn at(place: &str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("{place}: {problem}"))
    }
}

#[cfg(test)]
mod tests;
