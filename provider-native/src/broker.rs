//! The broker's HTTP side: where to connect, and tickets to get in.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasipool_shared::wire;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A broker, by its HTTP address.
#[derive(Debug, Clone)]
pub struct Broker {
    url: String,
    client: Client,
    token: Option<String>,
}

/// Where the WebTransport endpoint is, and how to know it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Transport {
    /// Its address, with or without the path of a session.
    pub url: String,
    /// Digests of its certificates; if there are none, it has one that an
    /// authority has signed.
    #[serde(default)]
    pub certificate_hashes: Vec<CertificateHash>,
}

/// The digest of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CertificateHash {
    /// `sha-256`; others are not understood.
    pub algorithm: String,
    /// Hexadecimal.
    pub value: String,
}

/// The broker doesn't let this provider in: trying again won't help.
#[derive(Debug, thiserror::Error)]
#[error("the broker doesn't let this provider in (does it need --token-file?): {0}")]
pub struct Denied(String);

#[derive(Deserialize)]
struct Ticket {
    ticket: String,
}

/// What an error's document says.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// What a broker's error document says, if that is one.
pub(crate) fn detail(body: &[u8]) -> String {
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let text = problem.and_then(|problem| problem.detail.or(problem.title));
    text.unwrap_or_default()
}

impl Broker {
    /// The broker at `url`; the token file is read now.
    ///
    /// # Errors
    /// If the token can't be read.
    pub fn new(url: &str, token_file: Option<&Path>) -> anyhow::Result<Self> {
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path);
            let text = text.with_context(|| format!("can't read the token in {}", path.display()));
            text.map(|text| text.trim().to_owned())
        };
        let client = Client::builder()
            .timeout(TIMEOUT)
            .user_agent(crate::provider::AGENT)
            .build()
            .context("can't make an HTTP client")?;
        let token = token_file.map(read).transpose()?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            client,
            token,
        })
    }

    /// Its HTTP address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks where to connect to.
    ///
    /// # Errors
    /// If the broker can't be reached or doesn't say.
    pub async fn transport(&self) -> anyhow::Result<Transport> {
        let request = self.client.get(format!("{}/v1/transport", self.url));
        let mut transport: Transport = self.ask(request).await?;
        transport.url = with_path(&transport.url);
        Ok(transport)
    }

    /// Gets a ticket.
    ///
    /// # Errors
    /// If the broker can't be reached or gives none.
    pub async fn ticket(&self) -> anyhow::Result<String> {
        let mut request = self.client.post(format!("{}/v1/tickets", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let ticket: Ticket = self.ask(request).await?;
        Ok(ticket.ticket)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let unreachable = || format!("the broker at {} can't be reached", self.url);
        let response = request.send().await.with_context(unreachable)?;
        let status = response.status();
        let path = response.url().path().to_owned();
        let body = response.bytes().await.with_context(unreachable)?;
        if !status.is_success() {
            let text = detail(&body);
            if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
                return Err(Denied(text).into());
            }
            bail!("the broker says {status} to {path}: {text}");
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("what the broker says to {path} is not understood"))
    }
}

/// The address with the path of a session, if it has none.
fn with_path(url: &str) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    match url[after_scheme..].find('/') {
        Some(at) if url.len() > after_scheme + at + 1 => url.to_owned(),
        _ => format!("{}{}", url.trim_end_matches('/'), wire::PATH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_if_there_is_none() {
        for (url, expected) in [
            (
                "https://127.0.0.1:4443",
                "https://127.0.0.1:4443/wasipool/1",
            ),
            (
                "https://127.0.0.1:4443/",
                "https://127.0.0.1:4443/wasipool/1",
            ),
            ("https://[::1]:1/wasipool/1", "https://[::1]:1/wasipool/1"),
            ("https://a.b/proxy/x", "https://a.b/proxy/x"),
        ] {
            assert_eq!(with_path(url), expected);
        }
    }
}
