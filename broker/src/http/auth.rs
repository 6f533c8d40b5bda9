//! Who may do what: bearer tokens, and the origins of pages.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::digest::Digest;

use super::{App, Problem};
use crate::config::Config;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Submitting and reading jobs and blobs.
    Submit,
    /// Joining the pool.
    Provide,
    /// Everything.
    Admin,
}

/// Tokens and origins. Only digests of tokens are kept.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    tokens: Vec<(Role, Digest)>,
    origins: BTreeSet<String>,
}

impl Auth {
    /// Reads the token files, one token a line; blank lines and those that
    /// start with `#` don't count.
    ///
    /// # Errors
    /// If a file can't be read or holds no token.
    pub fn load(config: &Config, origins: BTreeSet<String>) -> anyhow::Result<Self> {
        let mut auth = Self {
            tokens: Vec::new(),
            origins,
        };
        for (role, path) in [
            (Role::Submit, &config.submit_tokens),
            (Role::Provide, &config.provide_tokens),
            (Role::Admin, &config.admin_tokens),
        ] {
            if let Some(path) = path {
                auth.read(role, path)?;
            }
        }
        Ok(auth)
    }

    fn read(&mut self, role: Role, path: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the token file {} can't be read", path.display()))?;
        let before = self.tokens.len();
        for token in text.lines().map(str::trim) {
            if !token.is_empty() && !token.starts_with('#') {
                self.add(role, token);
            }
        }
        anyhow::ensure!(
            self.tokens.len() > before,
            "the token file {} is empty",
            path.display()
        );
        Ok(())
    }

    fn add(&mut self, role: Role, token: &str) {
        self.tokens.push((role, Digest::of(token.as_bytes())));
    }

    /// Whether the request has a token of one of the roles. Without any tokens
    /// everybody may do everything.
    fn check_token(&self, headers: &HeaderMap, allowed: &[Role]) -> Result<(), Problem> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let unauthorized = |detail: &str| {
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail);
            let scheme = HeaderValue::from_static("Bearer");
            Err(problem.with_header(header::WWW_AUTHENTICATE, scheme))
        };
        let given = headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let Some(token) = given.and_then(bearer) else {
            return unauthorized("a token is needed: send `Authorization: Bearer <token>`");
        };
        let given = Digest::of(token);
        let (mut known, mut may) = (false, false);
        for (role, token) in &self.tokens {
            let same = equal(&token.0, &given.0);
            known |= same;
            may |= same & (allowed.contains(role) | (*role == Role::Admin));
        }
        match (known, may) {
            (_, true) => Ok(()),
            (true, false) => {
                let detail = "the token is good, but not for this";
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
            }
            (false, false) => unauthorized("the token is unknown"),
        }
    }

    /// Whether a page of that origin may send a request that changes something.
    /// Programs send no `Origin`.
    pub(super) fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        if origin
            .to_str()
            .is_ok_and(|origin| self.origins.contains(origin))
        {
            return Ok(());
        }
        let detail = format!("pages of the origin {origin:?} may not use this broker");
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

/// Compares without telling by its time where the difference is.
fn equal(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let difference = left
        .iter()
        .zip(right)
        .fold(0, |all, (left, right)| all | (left ^ right));
    std::hint::black_box(difference) == 0
}

async fn guard(app: &App, allowed: &[Role], request: Request, next: Next) -> Response {
    match app.auth.check_token(request.headers(), allowed) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Lets those in who may submit and read jobs and blobs.
pub async fn submit(State(app): State<App>, request: Request, next: Next) -> Response {
    guard(&app, &[Role::Submit], request, next).await
}

/// Lets those in who may join the pool.
pub async fn provide(State(app): State<App>, request: Request, next: Next) -> Response {
    guard(&app, &[Role::Provide], request, next).await
}

/// Lets those in who have any token.
pub async fn any(State(app): State<App>, request: Request, next: Next) -> Response {
    guard(&app, &[Role::Submit, Role::Provide], request, next).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_token(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))])
    }

    #[test]
    fn tokens_open_what_they_are_for() {
        let mut auth = Auth::default();
        assert!(
            auth.check_token(&HeaderMap::new(), &[Role::Submit]).is_ok(),
            "open by default"
        );
        auth.add(Role::Submit, "s3cret");
        auth.add(Role::Admin, "r00t");
        let check = |value, role| auth.check_token(&with_token(value), &[role]);
        assert!(check("Bearer s3cret", Role::Submit).is_ok());
        assert!(check("bearer  s3cret ", Role::Submit).is_ok());
        assert!(
            check("Bearer r00t", Role::Provide).is_ok(),
            "an admin may do everything"
        );
        let status = |result: Result<(), Problem>| result.unwrap_err().into_response().status();
        assert_eq!(
            status(check("Bearer s3cret", Role::Provide)),
            StatusCode::FORBIDDEN
        );
        for value in [
            "Bearer s3cre",
            "Bearer",
            "Basic s3cret",
            "Bearer ",
            "s3cret",
        ] {
            assert_eq!(
                status(check(value, Role::Submit)),
                StatusCode::UNAUTHORIZED,
                "{value}"
            );
        }
        let missing = auth.check_token(&HeaderMap::new(), &[Role::Submit]);
        assert_eq!(status(missing), StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let own = "http://127.0.0.1:4080".to_owned();
        let auth = Auth {
            tokens: Vec::new(),
            origins: BTreeSet::from([own]),
        };
        let check = |method, origin: &'static str| {
            let origin = HeaderValue::from_static(origin);
            auth.check_origin(&method, &HeaderMap::from_iter([(header::ORIGIN, origin)]))
        };
        assert!(check(Method::POST, "http://127.0.0.1:4080").is_ok());
        for origin in ["http://127.0.0.1:4081", "https://evil.example", "null", ""] {
            assert!(check(Method::POST, origin).is_err(), "{origin}");
            assert!(check(Method::DELETE, origin).is_err(), "{origin}");
            assert!(check(Method::GET, origin).is_ok(), "{origin}");
        }
        assert!(
            auth.check_origin(&Method::PUT, &HeaderMap::new()).is_ok(),
            "no page at all"
        );
    }
}
