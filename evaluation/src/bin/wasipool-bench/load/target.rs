//! What is asked for, and what a right answer is.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::connection::Reply;

/// A request and the check of its reply.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// Head and body.
    pub(crate) request: Vec<u8>,
    /// What the reply must be.
    pub(crate) expect: Expect,
}

/// What a reply must be, besides having status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Anything.
    Any,
    /// This body.
    Body(Vec<u8>),
    /// The state `succeeded` and this body.
    Succeeded(Vec<u8>),
    /// A job whose tasks all succeeded; so many.
    Job(u64),
    /// The earlier system's list of results, so many, all with status 0.
    Results(usize),
    /// The earlier system's `ok`.
    Ok,
}

impl Target {
    /// A request with a body.
    pub(crate) fn post(base: &str, path: &str, kind: &str, body: &[u8], expect: Expect) -> Self {
        let address = base
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body].concat();
        Self {
            address,
            request,
            expect,
        }
    }

    /// `/v1/run` of a module with its input and the output that is right.
    pub(crate) fn run(base: &str, module: &str, query: &str, input: &[u8], output: &[u8]) -> Self {
        let path = format!("/v1/run/{module}{query}");
        let expect = Expect::Succeeded(output.to_vec());
        Self::post(base, &path, "application/octet-stream", input, expect)
    }

    /// A job that the broker answers once it has ended.
    pub(crate) fn job(base: &str, job: &Value, tasks: u64) -> Self {
        let body = job.to_string();
        let expect = Expect::Job(tasks);
        Self::post(
            base,
            "/v1/jobs?wait=120s",
            "application/json",
            body.as_bytes(),
            expect,
        )
    }

    /// Says what is wrong with a reply.
    ///
    /// # Errors
    /// If something is.
    pub(crate) fn check(&self, reply: &Reply<'_>) -> anyhow::Result<()> {
        let shown =
            || String::from_utf8_lossy(&reply.body[..reply.body.len().min(400)]).into_owned();
        ensure!(reply.status == 200, "status {}: {}", reply.status, shown());
        match &self.expect {
            Expect::Any => {}
            Expect::Body(body) => ensure!(reply.body == body, "another body: {}", shown()),
            Expect::Succeeded(body) => {
                ensure!(
                    reply.state == "succeeded",
                    "state {:?}: {}",
                    reply.state,
                    shown()
                );
                ensure!(reply.body == body, "another output: {}", shown());
            }
            Expect::Job(tasks) => {
                let job: Value = serde_json::from_slice(reply.body).with_context(shown)?;
                ensure!(
                    job["counts"]["succeeded"] == *tasks && job["state"] == "succeeded",
                    "not all of {tasks} tasks succeeded: {}",
                    job["counts"]
                );
            }
            Expect::Results(count) => {
                let results: Vec<Value> = serde_json::from_slice(reply.body).with_context(shown)?;
                let good = |one: &&Value| one["result"]["status"] == 0;
                ensure!(results.iter().filter(good).count() == *count, "{}", shown());
            }
            Expect::Ok => {
                let result: Value = serde_json::from_slice(reply.body).with_context(shown)?;
                ensure!(result["ok"].is_object(), "{}", shown());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(expect: Expect, status: u16, state: &str, body: &str) -> bool {
        let target = Target::post("http://127.0.0.1:1/", "/", "text/plain", b"", expect);
        let state = state.to_owned();
        target
            .check(&Reply {
                status,
                state,
                body: body.as_bytes(),
            })
            .is_ok()
    }

    #[test]
    fn wrong_replies_are_found() {
        let run = Expect::Succeeded(b"out".to_vec());
        assert!(checked(run.clone(), 200, "succeeded", "out"));
        assert!(!checked(run.clone(), 200, "succeeded", "other"));
        assert!(!checked(run.clone(), 200, "failed", "out"));
        assert!(!checked(run, 503, "succeeded", "out"));
        let job = r#"{"state":"succeeded","counts":{"succeeded":2}}"#;
        assert!(checked(Expect::Job(2), 200, "", job));
        assert!(!checked(Expect::Job(3), 200, "", job));
        assert!(checked(
            Expect::Results(1),
            200,
            "",
            r#"[{"result":{"status":0}}]"#
        ));
        assert!(!checked(Expect::Results(1), 200, "", r#"[{"error":"no"}]"#));
        assert!(checked(Expect::Ok, 200, "", r#"{"ok":{"status":0}}"#));
        assert!(!checked(Expect::Ok, 200, "", r#"{"error":"no"}"#));
    }

    #[test]
    fn a_request_is_whole() {
        let target = Target::run("http://127.0.0.1:7/", "m.wasm", "?arg=1", b"in", b"");
        let text = String::from_utf8(target.request).unwrap();
        assert!(text.starts_with("POST /v1/run/m.wasm?arg=1 HTTP/1.1\r\nHost: 127.0.0.1:7\r\n"));
        assert!(text.ends_with("Content-Length: 2\r\n\r\nin"));
    }
}
