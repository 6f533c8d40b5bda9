//! The HTTP API as methods.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use reqwest::{Method, Url};
use serde_json::Value;

use crate::http::{Reply, Request};
use crate::model::{Blob, Job, Page, Provider, Step, TaskResult, Trace};
use crate::programs;
use crate::wait::until;

/// No request is waited for any longer.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);

/// A client of one broker.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// A client of the broker at `base`, e.g. `http://127.0.0.1:4080`.
    ///
    /// # Errors
    /// If that is no URL.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        // A proxy of the machine has nothing to do with its loopback.
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(REQUEST_LIMIT)
            .build()?;
        Ok(Self {
            http,
            base: base.parse().with_context(|| base.to_owned())?,
        })
    }

    /// The broker's address without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Any request; `path` begins with a slash, and may have a query.
    ///
    /// # Panics
    /// If `path` can't be in a URL.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = self.base.join(path).expect("a path of the API");
        Request::new(self.http.clone(), method, url)
    }

    /// A GET that must succeed.
    ///
    /// # Errors
    /// If it doesn't.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.request(Method::GET, path).send_ok().await
    }

    /// Stores a blob under a name.
    ///
    /// # Errors
    /// If the broker refuses.
    pub async fn put_blob(&self, name: &str, bytes: impl Into<Vec<u8>>) -> anyhow::Result<Blob> {
        let path = format!("/v1/blobs/{name}");
        self.request(Method::PUT, &path)
            .body(bytes)
            .send_ok()
            .await?
            .json()
    }

    /// Stores guests of `target/guests` as `NAME.wasm`.
    ///
    /// # Errors
    /// If one isn't built, or the broker refuses.
    pub async fn put_guests(&self, names: &[&str]) -> anyhow::Result<()> {
        for name in names {
            self.put_blob(&format!("{name}.wasm"), programs::guest(name)?)
                .await?;
        }
        Ok(())
    }

    /// A run of a stored module, to be filled with `arg`, `env` and so on.
    #[must_use]
    pub fn run(&self, module: &str) -> Request {
        self.request(Method::POST, &format!("/v1/run/{module}"))
    }

    /// Submits a job.
    ///
    /// # Errors
    /// If the broker refuses.
    pub async fn submit(&self, job: &Value) -> anyhow::Result<Job> {
        let reply = self
            .request(Method::POST, "/v1/jobs")
            .json(job)
            .send_ok()
            .await?;
        anyhow::ensure!(reply.status == 202, "a job without wait is 202: {reply}");
        let submitted: Job = reply.json()?;
        let location = format!("/v1/jobs/{}", submitted.id);
        anyhow::ensure!(
            reply.header("location").ends_with(&location),
            "no Location: {reply}"
        );
        Ok(submitted)
    }

    /// Submits a job and waits for it at the broker.
    ///
    /// # Errors
    /// If the broker refuses, or the job doesn't end within `wait`.
    pub async fn submit_and_wait(&self, job: &Value, wait: &str) -> anyhow::Result<Job> {
        let request = self
            .request(Method::POST, "/v1/jobs")
            .query("wait", wait)
            .json(job);
        let reply = request.send_ok().await?;
        anyhow::ensure!(reply.status == 200, "not ended within {wait}: {reply}");
        reply.json()
    }

    /// A job as it is now.
    ///
    /// # Errors
    /// If there is none with that id.
    pub async fn job(&self, id: &str) -> anyhow::Result<Job> {
        self.get(&format!("/v1/jobs/{id}")).await?.json()
    }

    /// Waits until `check` holds for a job.
    ///
    /// # Errors
    /// If it doesn't in time.
    pub async fn job_until(
        &self,
        id: &str,
        limit: Duration,
        check: impl Fn(&Job) -> bool,
    ) -> anyhow::Result<Job> {
        let mut last = None;
        let found = until("the job's state", limit, async || {
            let job = self.job(id).await?;
            let found = check(&job).then(|| job.clone());
            last = Some(job);
            Ok(found)
        });
        found.await.with_context(|| format!("the job is {last:?}"))
    }

    /// Waits until a job has ended.
    ///
    /// # Errors
    /// If it hasn't in time.
    pub async fn ended(&self, id: &str, limit: Duration) -> anyhow::Result<Job> {
        self.job_until(id, limit, Job::ended).await
    }

    /// All results of a job, in the order in which the broker gives them.
    ///
    /// # Errors
    /// If a line is no result.
    pub async fn results(&self, id: &str) -> anyhow::Result<Vec<TaskResult>> {
        let reply = self.get(&format!("/v1/jobs/{id}/results")).await?;
        let parse = |line: &str| serde_json::from_str(line).with_context(|| line.to_owned());
        reply.text().lines().map(parse).collect()
    }

    /// The result of one task.
    ///
    /// # Errors
    /// If there is none.
    pub async fn result(&self, id: &str, index: u32) -> anyhow::Result<TaskResult> {
        self.get(&format!("/v1/jobs/{id}/tasks/{index}"))
            .await?
            .json()
    }

    /// The bytes of a task's stdout, in whichever way the result holds them.
    ///
    /// # Errors
    /// If it doesn't hold them in exactly one way.
    pub async fn stdout(&self, result: &TaskResult) -> anyhow::Result<Vec<u8>> {
        self.output(&result.stdout, &result.stdout_base64, &result.stdout_url)
            .await
    }

    /// As `stdout`.
    ///
    /// # Errors
    /// As `stdout`.
    pub async fn stderr(&self, result: &TaskResult) -> anyhow::Result<Vec<u8>> {
        self.output(&result.stderr, &result.stderr_base64, &result.stderr_url)
            .await
    }

    async fn output(
        &self,
        text: &Option<String>,
        base64: &Option<String>,
        url: &Option<String>,
    ) -> anyhow::Result<Vec<u8>> {
        match (text, base64, url) {
            (Some(text), None, None) => Ok(text.clone().into_bytes()),
            (None, Some(text), None) => Ok(base64::engine::general_purpose::STANDARD.decode(text)?),
            (None, None, Some(url)) => Ok(self.get(url).await?.body),
            other => anyhow::bail!("output must come in exactly one way: {other:?}"),
        }
    }

    /// The steps of a task.
    ///
    /// # Errors
    /// If there is no such task.
    pub async fn trace(&self, id: &str, index: u32) -> anyhow::Result<Vec<Step>> {
        let trace: Trace = self
            .get(&format!("/v1/jobs/{id}/tasks/{index}/trace"))
            .await?
            .json()?;
        Ok(trace.steps)
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// If there is no such job.
    pub async fn cancel(&self, id: &str) -> anyhow::Result<Reply> {
        self.request(Method::DELETE, &format!("/v1/jobs/{id}"))
            .send_ok()
            .await
    }

    /// All connected providers.
    ///
    /// # Errors
    /// If the broker doesn't answer.
    pub async fn providers(&self) -> anyhow::Result<Vec<Provider>> {
        let page: Page<Provider> = self.get("/v1/providers").await?.json()?;
        Ok(page.items)
    }

    /// Waits until `check` gives something for the connected providers. While
    /// the broker doesn't answer, it goes on waiting: it may be restarting.
    ///
    /// # Errors
    /// If it doesn't in time.
    pub async fn providers_until<T>(
        &self,
        what: &str,
        limit: Duration,
        check: impl Fn(&[Provider]) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut last = None;
        let found = until(what, limit, async || {
            let now = self.providers().await;
            let found = now.as_ref().ok().and_then(|providers| check(providers));
            last = Some(now);
            Ok(found)
        });
        found
            .await
            .with_context(|| format!("the providers are {last:?}"))
    }
}
