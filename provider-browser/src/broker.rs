//! What is asked of the broker over HTTP before a session: where it is, and a
//! ticket.

use serde::de::DeserializeOwned;
use wasipool_shared::api::{Ticket, Transport};
use wasm_bindgen::prelude::*;
use web_sys::{Request, RequestInit, Response};

use crate::js::{in_time, message, scope};
use crate::provider::failure::Failure;

/// Time that an answer may take: browsers wait for minutes.
const ANSWER_MS: u32 = 10_000;

/// Where the broker takes sessions.
pub(crate) async fn transport(token: &str) -> Result<Transport, Failure> {
    ask("GET", "/v1/transport", token).await
}

/// A ticket for one session.
pub(crate) async fn ticket(token: &str) -> Result<String, Failure> {
    ask("POST", "/v1/tickets", token)
        .await
        .map(|ticket: Ticket| ticket.ticket)
}

async fn ask<T: DeserializeOwned>(method: &str, path: &str, token: &str) -> Result<T, Failure> {
    let lost = |error: JsValue| Failure::Passing(format!("{path}: {}", message(&error)));
    let options = RequestInit::new();
    options.set_method(method);
    let request = Request::new_with_str_and_init(path, &options).map_err(lost)?;
    if !token.is_empty() {
        let value = format!("Bearer {token}");
        request
            .headers()
            .set("Authorization", &value)
            .map_err(|_| {
                Failure::Lasting("the token has characters that a token can't have".to_owned())
            })?;
    }
    let fetched = in_time(
        scope().fetch_with_request(&request).unchecked_into(),
        ANSWER_MS,
    )
    .await;
    let unreachable = |_| Failure::Passing("the broker is not reachable".to_owned());
    let response: Response = fetched.map_err(unreachable)?.unchecked_into();
    let body = in_time(response.text().map_err(lost)?.unchecked_into(), ANSWER_MS)
        .await
        .map_err(lost)?;
    let body = body.as_string().unwrap_or_default();
    if !response.ok() {
        return Err(Failure::of_status(path, response.status(), &body));
    }
    let wrong = |error| Failure::Lasting(format!("{path}: an answer not understood: {error}"));
    serde_json::from_str(&body).map_err(wrong)
}
