//! Who may do what: bearer tokens, and the origins of pages.

mod tokens;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use wasipool_shared::digest::Digest;

pub use tokens::{Owner, Rate};

use super::{App, Problem};
use crate::config::Config;
use tokens::{Reader, Token};

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

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Provide => "provide",
            Self::Admin => "admin",
        }
    }
}

/// Tokens and origins. Only digests of tokens are kept.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    tokens: Vec<Token>,
    origins: BTreeSet<String>,
}

impl Auth {
    /// Reads the token files.
    ///
    /// # Errors
    /// If a file can't be read, holds no token, or a line that is none.
    pub fn load(config: &Config, origins: BTreeSet<String>) -> anyhow::Result<Self> {
        let mut auth = Self {
            tokens: Vec::new(),
            origins,
        };
        let per_second = NonZeroU32::new(config.token_requests_max).unwrap_or(NonZeroU32::MIN);
        let mut reader = Reader::new(per_second);
        for (role, path) in [
            (Role::Submit, &config.submit_tokens),
            (Role::Provide, &config.provide_tokens),
            (Role::Admin, &config.admin_tokens),
        ] {
            if let Some(path) = path {
                auth.tokens.extend(reader.file(role, path)?);
            }
        }
        Ok(auth)
    }

    /// Who sends the request, if their token is of one of the roles. Without any
    /// tokens everybody may do everything, and is nobody in particular.
    fn check_token(
        &self,
        headers: &HeaderMap,
        allowed: &[Role],
    ) -> Result<Option<Arc<Owner>>, Problem> {
        if self.tokens.is_empty() {
            return Ok(None);
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
        let (mut known, mut may) = (None, false);
        for token in &self.tokens {
            let same = equal(&token.digest.0, &given.0);
            if same {
                known = Some(&token.owner);
            }
            may |= same & (allowed.contains(&token.role) | (token.role == Role::Admin));
        }
        match known {
            Some(owner) if may => Ok(Some(owner.clone())),
            Some(_) => {
                let detail = "the token is good, but not for this";
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
            }
            None => unauthorized("the token is unknown"),
        }
    }

    /// The account of a provider that asks for a ticket; 0 is nobody's. Owners
    /// of provide tokens are accounts once there are two of them: a token that
    /// all share tells nobody from anybody, and would let no quorum come about.
    #[must_use]
    pub fn account(&self, caller: &Caller) -> u64 {
        let provide = self
            .tokens
            .iter()
            .filter(|token| token.role == Role::Provide);
        let owners: BTreeSet<u64> = provide.map(|token| token.owner.number).collect();
        if owners.len() > 1 { caller.number() } else { 0 }
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

/// The owner's rate, as a problem if it is passed.
fn check_rate(owner: &Owner) -> Result<(), Problem> {
    owner.rate.take().map_err(|wait| {
        let limit = owner.rate.per_second();
        tracing::warn!(owner = owner.name, limit, "too many requests");
        let detail = format!(
            "the token may be used for {limit} requests a second (--token-requests-max): try again \
             in a moment"
        );
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail)
            .with("limit", limit)
            .retry_after(seconds.saturating_add(1))
    })
}

async fn guard(app: &App, allowed: &[Role], mut request: Request, next: Next) -> Response {
    let checked = app.auth.check_token(request.headers(), allowed);
    let checked = checked.and_then(|owner| match owner {
        None => Ok(None),
        Some(owner) => check_rate(&owner).map(|()| Some(owner)),
    });
    match checked {
        Ok(owner) => {
            request.extensions_mut().insert(Caller(owner));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Who sends a request: nobody in particular if there are no tokens.
#[derive(Debug, Clone, Default)]
pub struct Caller(Option<Arc<Owner>>);

impl Caller {
    /// Their number; 0 for nobody in particular.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |owner| owner.number)
    }

    /// Their name, for logs.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_ref().map_or("anybody", |owner| &owner.name)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
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

/// Lets those in who run the broker.
pub async fn admin(State(app): State<App>, request: Request, next: Next) -> Response {
    guard(&app, &[Role::Admin], request, next).await
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

    fn auth(lines: &[(Role, &str)]) -> Auth {
        let mut reader = Reader::new(NonZeroU32::new(2).unwrap());
        let token = |(role, line): &(Role, &str)| reader.line(*role, 1, line).unwrap();
        Auth {
            tokens: lines.iter().map(token).collect(),
            origins: BTreeSet::new(),
        }
    }

    #[test]
    fn tokens_open_what_they_are_for() {
        let open = Auth::default().check_token(&HeaderMap::new(), &[Role::Submit]);
        assert!(
            open.unwrap().is_none(),
            "open by default, and nobody in particular"
        );
        let auth = auth(&[(Role::Submit, "lab:s3cret"), (Role::Admin, "r00t")]);
        let check = |value, role| auth.check_token(&with_token(value), &[role]);
        let owner = check("Bearer s3cret", Role::Submit).unwrap().unwrap();
        assert_eq!(owner.name, "lab");
        assert_eq!(Caller(Some(owner.clone())).number(), owner.number);
        assert!(
            check("Bearer lab:s3cret", Role::Submit).is_err(),
            "the name is no secret"
        );
        assert!(check("bearer  s3cret ", Role::Submit).is_ok());
        assert!(
            check("Bearer r00t", Role::Provide).is_ok(),
            "an admin may do everything"
        );
        let status = |result: Result<_, Problem>| result.unwrap_err().into_response().status();
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
    fn owners_of_provide_tokens_are_accounts_once_there_are_two() {
        let of = |lines: &[(Role, &str)]| {
            let auth = auth(lines);
            let caller = auth.check_token(&with_token("Bearer one"), &[Role::Provide]);
            auth.account(&Caller(caller.unwrap()))
        };
        let lab = (Role::Provide, "lab:one");
        assert_eq!(of(&[lab]), 0);
        assert_eq!(of(&[lab, (Role::Provide, "lab:two")]), 0, "the same owner");
        assert_eq!(
            of(&[lab, (Role::Submit, "people:two")]),
            0,
            "it provides nothing"
        );
        assert_ne!(of(&[lab, (Role::Provide, "people:two")]), 0);
        assert_eq!(Auth::default().account(&Caller::default()), 0);
    }

    #[test]
    fn an_owner_has_so_many_requests_a_second() {
        let auth = auth(&[(Role::Submit, "lab:one"), (Role::Provide, "lab:two")]);
        let owner = |value, role| auth.check_token(&with_token(value), &[role]);
        let one = owner("Bearer one", Role::Submit).unwrap().unwrap();
        let two = owner("Bearer two", Role::Provide).unwrap().unwrap();
        // Both tokens count for their owner. The clock is real: at least the
        // third of three in a row is too many, unless they take half a second.
        let refused = (0..1_000).find_map(|_| check_rate(&one).and(check_rate(&two)).err());
        let response = refused.unwrap().into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
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
