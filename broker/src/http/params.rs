//! Paths and queries of requests.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use wasipool_shared::ids::JobId;

use super::Problem;
use crate::task_request::units::DurationField;

/// Items of a page of a list, unless the client wants another number.
const PAGE_DEFAULT: usize = 100;
/// Items of a page of a list at most.
const PAGE_MAX: usize = 1_000;

/// The variable parts of a path; what doesn't fit is a problem document.
#[derive(Debug)]
pub struct PathOf<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path))
            .map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// The job of an id in a path.
///
/// # Errors
/// If it can't be the id of a job: then there is no such job.
pub fn job_id(text: &str) -> Result<JobId, Problem> {
    text.parse().map_err(|_| Problem::unknown_job(text))
}

/// The query of a request, in order.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_none_or(str::is_empty) {
            return Ok(Self::default());
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        query
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| Problem::invalid(error.body_text()))
    }
}

impl Params {
    /// Refuses parameters that the endpoint doesn't have: a misspelt one would
    /// else be ignored.
    ///
    /// # Errors
    /// If there is one.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((unknown, _)) if known.is_empty() => Err(Problem::invalid(format!(
                "unknown parameter {unknown:?}: there are none here"
            ))),
            Some((unknown, _)) => {
                let known = known.join(", ");
                Err(Problem::invalid(format!(
                    "unknown parameter {unknown:?}, expected one of {known}"
                )))
            }
        }
    }

    /// Each value of a parameter, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that comes once.
    ///
    /// # Errors
    /// If it comes more often.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() {
            return Err(Problem::invalid(format!(
                "the parameter {name} is there twice"
            )));
        }
        Ok(value)
    }

    /// A parameter that is on or off.
    ///
    /// # Errors
    /// If it is neither.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            None | Some("0" | "false") => Ok(false),
            Some("" | "1" | "true") => Ok(true),
            Some(other) => Err(Problem::invalid(format!(
                "{name}: {other:?} is neither 1 nor 0"
            ))),
        }
    }

    /// A duration.
    ///
    /// # Errors
    /// If it is none.
    pub fn duration(&self, name: &str) -> Result<Option<DurationField>, Problem> {
        self.parsed(name, DurationField::parse)
    }

    /// A value that is parsed.
    ///
    /// # Errors
    /// If it can't be.
    pub fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let parsed = self.one(name)?.map(parse).transpose();
        parsed.map_err(|problem| Problem::invalid(format!("{name}: {problem}")))
    }

    /// How many items of a list the client wants.
    ///
    /// # Errors
    /// If it isn't a number of items that a page can have.
    pub fn limit(&self) -> Result<usize, Problem> {
        let parse = |text: &str| match text.parse() {
            Ok(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
            _ => Err(format!("{text:?} is not a number from 1 to {PAGE_MAX}")),
        };
        Ok(self.parsed("limit", parse)?.unwrap_or(PAGE_DEFAULT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn params(uri: &str) -> Params {
        let (mut parts, ()) = axum::http::Request::get(uri).body(()).unwrap().into_parts();
        Params::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn parameters_repeat_in_order() {
        let params = params("/?arg=b&env=A%3D1&arg=a%20c&fail=1&limit=7&wait=2m").await;
        assert_eq!(params.all("arg").collect::<Vec<_>>(), ["b", "a c"]);
        assert_eq!(params.one("env").unwrap(), Some("A=1"));
        assert!(params.one("arg").is_err());
        assert!(params.flag("fail").unwrap() && !params.flag("follow").unwrap());
        assert_eq!(params.limit().unwrap(), 7);
        assert_eq!(params.duration("wait").unwrap().unwrap().ms, 120_000);
        assert!(
            params
                .only(&["arg", "env", "fail", "limit", "wait"])
                .is_ok()
        );
        assert!(params.only(&["arg"]).is_err());
    }

    #[tokio::test]
    async fn bad_values_are_refused() {
        for uri in [
            "/?limit=0",
            "/?limit=1001",
            "/?limit=x",
            "/?limit=1&limit=2",
        ] {
            assert!(params(uri).await.limit().is_err(), "{uri}");
        }
        assert!(params("/?fail=maybe").await.flag("fail").is_err());
        assert!(params("/?wait=soon").await.duration("wait").is_err());
        assert_eq!(params("/").await.limit().unwrap(), PAGE_DEFAULT);
    }
}
