//! Requests and replies as they are, for what the typed client has no method.

use anyhow::Context as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use crate::model::Problem;

/// A request to the broker, to be filled and sent.
#[derive(Debug)]
pub struct Request {
    http: reqwest::Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(http: reqwest::Client, method: Method, url: Url) -> Self {
        Self {
            http,
            method,
            url,
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    /// Adds a parameter to the query; repeatable.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Sets a header.
    ///
    /// # Panics
    /// If `value` can't be in a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header's value is visible ASCII");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a JSON value, and the header that says so.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json")
            .body(value.to_string())
    }

    /// Sends it and reads the whole reply.
    ///
    /// # Errors
    /// If there is no reply.
    pub async fn send(self) -> anyhow::Result<Reply> {
        let asked = format!("{} {}", self.method, self.url);
        let request = self
            .http
            .request(self.method, self.url)
            .headers(self.headers);
        let reply = request
            .body(self.body)
            .send()
            .await
            .with_context(|| asked.clone())?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = reply.bytes().await.with_context(|| asked.clone())?.to_vec();
        Ok(Reply {
            asked,
            status,
            headers,
            body,
        })
    }

    /// Sends it; anything but a 2xx is an error with the broker's own words.
    ///
    /// # Errors
    /// If there is no reply or an error in it.
    pub async fn send_ok(self) -> anyhow::Result<Reply> {
        let reply = self.send().await?;
        anyhow::ensure!(reply.status.is_success(), "{reply}");
        Ok(reply)
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header; empty without it.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If it isn't what the type says.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body).with_context(|| self.to_string())
    }

    /// The body as a problem document.
    ///
    /// # Errors
    /// If it is none, by its type, its content, or because the status in it is
    /// another than the reply's.
    pub fn problem(&self) -> anyhow::Result<Problem> {
        let kind = self.header("content-type");
        anyhow::ensure!(
            kind.starts_with("application/problem+json"),
            "is {kind:?}: {self}"
        );
        let problem: Problem = self.json()?;
        anyhow::ensure!(
            problem.status == self.status.as_u16(),
            "two statuses: {self}"
        );
        Ok(problem)
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 2_000;
        let body: String = self.text().chars().take(SHOWN).collect();
        write!(f, "{} → {}: {body}", self.asked, self.status)
    }
}
