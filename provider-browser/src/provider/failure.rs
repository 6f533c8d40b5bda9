//! Why there is no session, and whether there may be one later.

use serde::Deserialize;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Trying again makes sense.
    Passing(String),
    /// It doesn't.
    Lasting(String),
}

/// The part of an `application/problem+json` that a person wants to read.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

impl Failure {
    /// What an HTTP status that isn't a success means.
    #[must_use]
    pub fn of_status(path: &str, status: u16, body: &str) -> Self {
        let problem = serde_json::from_str(body).ok();
        let said = problem.and_then(|problem: Problem| problem.detail.or(problem.title));
        let said = said.unwrap_or_else(|| format!("the broker answered {status}"));
        let text = match status {
            401 | 403 => format!("this tab is not let in: {said}"),
            _ => format!("{path}: {said}"),
        };
        match status {
            408 | 425 | 429 | 500..=599 => Self::Passing(text),
            _ => Self::Lasting(text),
        }
    }

    /// What happened.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Passing(text) | Self::Lasting(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_by_their_detail() {
        let body = r#"{"type":"x","title":"Unauthorized","detail":"a provide token is needed"}"#;
        let failure = Failure::of_status("/v1/tickets", 401, body);
        let expected = "this tab is not let in: a provide token is needed";
        assert_eq!(failure, Failure::Lasting(expected.to_owned()));
        let failure = Failure::of_status("/v1/tickets", 503, "<html>");
        assert_eq!(failure.text(), "/v1/tickets: the broker answered 503");
        assert!(matches!(failure, Failure::Passing(_)));
    }
}
