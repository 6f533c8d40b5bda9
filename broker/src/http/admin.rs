//! What an operator does to providers: drain, send away, ban.

use std::net::IpAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use wasipool_shared::api::{self, Page};
use wasipool_shared::ids::ProviderId;
use wasipool_shared::wire::message::{Refuse, RefuseCode};

use super::auth::Caller;
use super::openapi::{Conflict, Denied, Invalid, NoProvider, TooLarge};
use super::params::{Params, PathOf};
use super::{App, Problem, body};
use crate::bans::{Ban, BanError};
use crate::clock::rfc3339;
use crate::driver::Whom;
use crate::task_request::schema::DurationText;
use crate::task_request::units::DurationField;

/// Bytes of the JSON that describes a ban.
const BAN_JSON_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the reason in it.
const REASON_BYTES_MAX: usize = 1_024;

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no provider {id:?} in the pool"))
}

fn provider_id(text: &str) -> Result<ProviderId, Problem> {
    text.parse().map_err(|_| unknown(text))
}

/// `POST /v1/providers/{id}/drain`: it finishes what runs there, then leaves.
///
/// # Errors
/// If there is no such provider.
#[utoipa::path(
    post,
    path = "/v1/providers/{id}/drain",
    tag = "operate",
    summary = "Lets a provider leave",
    description = "It gets no new tasks, finishes what runs there, then leaves.",
    params(("id" = ProviderId, Path, description = "The provider's id: that of its session.")),
    responses((status = 202, description = "It is asked to."), Denied, NoProvider)
)]
pub async fn drain(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, Problem> {
    let provider = provider_id(&id)?;
    if !app.driver.ask_to_drain(provider).await {
        return Err(unknown(&id));
    }
    tracing::info!(by = caller.name(), %provider, "is to drain");
    Ok(StatusCode::ACCEPTED)
}

/// `POST /v1/providers/{id}/kick`: its session ends at once, its tasks go
/// elsewhere. It may come again.
///
/// # Errors
/// If there is no such provider.
#[utoipa::path(
    post,
    path = "/v1/providers/{id}/kick",
    tag = "operate",
    summary = "Ends a provider's session",
    description = "Its tasks go elsewhere at once. It may come again.",
    params(("id" = ProviderId, Path, description = "The provider's id: that of its session.")),
    responses((status = 204, description = "It is gone."), Denied, NoProvider)
)]
pub async fn kick(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, Problem> {
    let provider = provider_id(&id)?;
    let refuse = Refuse {
        code: RefuseCode::Stopping,
        text: "an operator ended the session; the provider may come again".to_owned(),
    };
    if app.driver.send_away(Whom::One(provider), refuse).await == 0 {
        return Err(unknown(&id));
    }
    tracing::info!(by = caller.name(), %provider, "was sent away");
    Ok(StatusCode::NO_CONTENT)
}

/// What a ban is to be.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct BanFields {
    #[serde(default)]
    reason: String,
    /// How long; for good, without.
    #[serde(rename = "for")]
    #[schema(value_type = Option<DurationText>)]
    duration: Option<DurationOfText>,
    #[schema(min_items = 1)]
    by: Option<Vec<By>>,
}

/// A duration that is written as text: a bare number would leave its unit open.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct DurationOfText(u64);

impl TryFrom<String> for DurationOfText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        DurationField::parse(&text).map(|duration| Self(duration.ms))
    }
}

/// What a ban goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    Name,
    Address,
}

impl BanFields {
    fn parse(json: &[u8]) -> Result<Self, Problem> {
        let fields: Self = if json.trim_ascii().is_empty() {
            Self::default()
        } else {
            let fields: Option<Self> = serde_json::from_slice(json)
                .map_err(|error| Problem::invalid(error.to_string()))?;
            fields.unwrap_or_default()
        };
        let bytes = fields.reason.len();
        if bytes > REASON_BYTES_MAX {
            let detail = format!("reason: {bytes} bytes are over the limit of {REASON_BYTES_MAX}");
            return Err(Problem::invalid(detail));
        }
        if fields.by.as_ref().is_some_and(Vec::is_empty) {
            return Err(Problem::invalid("by: say \"name\", \"address\", or both"));
        }
        Ok(fields)
    }

    /// The ban of a provider. Without more words it is by its name, and by its
    /// address unless that is this very machine.
    fn ban(self, id: ProviderId, name: String, address: IpAddr, now_unix_ms: u64) -> Ban {
        let address = address.to_canonical();
        let (by_name, by_address) = match &self.by {
            Some(by) => (by.contains(&By::Name), by.contains(&By::Address)),
            None => (true, !address.is_loopback()),
        };
        Ban {
            id,
            name: by_name.then_some(name),
            address: by_address.then_some(address),
            reason: self.reason,
            created_unix_ms: now_unix_ms,
            expires_unix_ms: self
                .duration
                .map(|DurationOfText(ms)| now_unix_ms.saturating_add(ms)),
        }
    }
}

/// `POST /v1/providers/{id}/ban`: who fits the ban is sent away and not let in.
///
/// # Errors
/// If there is no such provider, or the ban isn't understood or can't be kept.
#[utoipa::path(
    post,
    path = "/v1/providers/{id}/ban",
    tag = "operate",
    summary = "Keeps a provider out",
    description = "By its name and its address: who fits either is sent away and not let in.",
    params(("id" = ProviderId, Path, description = "The provider's id: that of its session.")),
    request_body(content = Option<BanFields>, content_type = "application/json"),
    responses((status = 201, description = "The ban.", body = api::Ban), Denied, Invalid, NoProvider, Conflict, TooLarge)
)]
pub async fn ban(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    content: Body,
) -> Result<Response, Problem> {
    let provider = provider_id(&id)?;
    let json = body::read(content, BAN_JSON_BYTES_MAX).await?;
    let fields = BanFields::parse(&json)?;
    let found = app.driver.address_of(provider).await;
    let (name, address) = found.ok_or_else(|| unknown(&id))?;
    let ban = fields.ban(provider, name, address, app.clock.unix_ms());
    app.bans.add(ban.clone()).await?;
    // First the ban, then out: nobody slips back in between.
    let refuse = ban.refuse();
    let whom = Whom::Banned(ban.clone());
    let away = app.driver.send_away(whom, refuse).await;
    tracing::info!(by = caller.name(), %provider, name = ban.name, address = ?ban.address, away,
        "is banned");
    let location = HeaderValue::try_from(format!("/v1/bans/{provider}"));
    let location = location.map_err(|error| Problem::internal(error.to_string()))?;
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(shown(ban))).into_response())
}

/// `GET /v1/bans`: those that hold, the newest first.
///
/// # Errors
/// If the query isn't understood.
#[utoipa::path(
    get,
    path = "/v1/bans",
    tag = "operate",
    summary = "Who is kept out",
    description = "The newest first.",
    params(
        ("limit" = Option<u32>, Query, description = "How many at most.", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,9}$", description = "`next` of the page before.")
    ),
    responses((status = 200, description = "A page of them.", body = Page<api::Ban>), Denied, Invalid)
)]
pub async fn bans(State(app): State<App>, params: Params) -> Result<Json<Page<api::Ban>>, Problem> {
    params.only(&["limit", "cursor"])?;
    let parse = |cursor: &str| {
        let digits = cursor.len() <= 9 && cursor.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| cursor.parse::<usize>().ok()).flatten();
        number.ok_or_else(|| format!("{cursor:?} is not from a list of bans"))
    };
    let from = params.parsed("cursor", parse)?.unwrap_or(0);
    let limit = params.limit()?;
    let all = app.bans.list(app.clock.unix_ms());
    let next = from.saturating_add(limit);
    let next = (next < all.len()).then(|| next.to_string());
    let items = all.into_iter().skip(from).take(limit).map(shown).collect();
    Ok(Json(Page { items, next }))
}

/// `DELETE /v1/bans/{id}`: lifts a ban.
///
/// # Errors
/// If there is none of that id.
#[utoipa::path(
    delete,
    path = "/v1/bans/{id}",
    tag = "operate",
    summary = "Lifts a ban",
    description = "The provider may come again.",
    params(("id" = ProviderId, Path, description = "The ban's id: that of the session that it began with.")),
    responses((status = 204, description = "It is lifted."), Denied, NoProvider)
)]
pub async fn lift(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::not_found(format!("there is no ban {id:?}"));
    let provider: ProviderId = id.parse().map_err(|_| missing())?;
    if !app.bans.lift(provider).await? {
        return Err(missing());
    }
    tracing::info!(by = caller.name(), %provider, "is no longer banned");
    Ok(StatusCode::NO_CONTENT)
}

fn shown(ban: Ban) -> api::Ban {
    api::Ban {
        id: ban.id,
        name: ban.name,
        address: ban.address.map(|address| address.to_string()),
        reason: ban.reason,
        created: rfc3339(ban.created_unix_ms),
        expires: ban.expires_unix_ms.map(rfc3339),
    }
}

impl From<BanError> for Problem {
    fn from(error: BanError) -> Self {
        let detail = error.to_string();
        match error {
            BanError::TooMany => Self::conflict(detail),
            BanError::Io(_) => Self::internal(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(json: &str, address: &str) -> Ban {
        let fields = BanFields::parse(json.as_bytes()).unwrap();
        let address = address.parse().unwrap();
        fields.ban(ProviderId(7), "lab".to_owned(), address, 1_000)
    }

    #[test]
    fn a_ban_is_by_name_and_address_but_never_by_this_machine() {
        let far = ban("", "192.0.2.7");
        assert_eq!(far.name.as_deref(), Some("lab"));
        assert_eq!(far.address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(far.expires_unix_ms, None);
        assert_eq!(ban("{}", "127.0.0.1").address, None);
        assert_eq!(ban("{}", "::ffff:127.0.0.1").address, None);
        let own = ban(r#"{"by": ["address"]}"#, "127.0.0.1");
        assert!(
            own.address.is_some() && own.name.is_none(),
            "unless one says so"
        );
        let short = ban(r#"{"for": "1m", "reason": "why"}"#, "192.0.2.7");
        assert_eq!(
            (short.expires_unix_ms, short.reason.as_str()),
            (Some(61_000), "why")
        );
    }

    #[test]
    fn bans_that_are_not_understood_are_refused() {
        let long = format!(r#"{{"reason": "{}"}}"#, "x".repeat(REASON_BYTES_MAX + 1));
        let longest = format!(r#"{{"reason": "{}"}}"#, "x".repeat(REASON_BYTES_MAX));
        assert!(BanFields::parse(longest.as_bytes()).is_ok());
        for json in [
            "{",
            "[]1",
            r#"{"by": []}"#,
            r#"{"by": ["shoe"]}"#,
            r#"{"x": 1}"#,
            &long,
        ] {
            assert!(BanFields::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
