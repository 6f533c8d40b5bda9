//! A broker in this process, and what its answers hold.

use std::net::SocketAddr;

use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use wasipool_broker::config::Config;
use wasipool_broker::serve::serve;

/// A module that does nothing.
pub(crate) const MODULE: &str =
    ";; nothing\n(module (memory (export \"memory\") 1) (func (export \"_start\")))";

pub(crate) struct Broker {
    pub(crate) url: String,
    pub(crate) client: Client,
    stopping: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Broker {
    pub(crate) async fn start(args: &[&str]) -> Self {
        let fixed = [
            "wasipool-broker",
            "--http=127.0.0.1:0",
            "--transport=127.0.0.1:0",
        ];
        let args = fixed.iter().chain(args).map(Into::into);
        let config = Config::load(args).unwrap();
        let stopping = CancellationToken::new();
        let (ready, is_ready) = tokio::sync::oneshot::channel::<SocketAddr>();
        let serving = serve(config, stopping.clone(), |at| ready.send(at.http).unwrap());
        let served = tokio::spawn(async { serving.await.unwrap() });
        let url = format!("http://{}", is_ready.await.unwrap());
        Self {
            url,
            client: Client::new(),
            stopping,
            served: Some(served),
        }
    }

    /// Stops it, as a signal does; returns when it has ended.
    pub(crate) async fn stop(mut self) {
        self.stopping.cancel();
        // Connections that are kept would be waited for.
        self.client = Client::new();
        self.served.take().unwrap().await.unwrap();
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let url = format!("{}{path}", self.url);
        self.client
            .request(method, url)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn post_job(&self, job: &Value) -> Response {
        self.send(Method::POST, "/v1/jobs", job.to_string()).await
    }
}

pub(crate) async fn body(response: Response, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status, "{}", response.url());
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The problem document of a response; its status is checked against itself.
pub(crate) async fn problem(response: Response) -> (u16, String, String) {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let status = response.status().as_u16();
    let document = body(response, status).await;
    assert_eq!(document["status"], status);
    let text = |member: &str| document[member].as_str().unwrap().to_owned();
    (status, text("code"), text("detail"))
}
