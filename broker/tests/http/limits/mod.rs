//! Limits on what strangers send: what is just within is taken, what is just beyond is
//! refused by a code for programs and a detail that names the limit.
//!
//! - `jobs`: what a job and its tasks ask for.
//! - `bodies`: names, pages, bodies, archives, and how many tasks wait.

#![expect(
    clippy::needless_pass_by_value,
    reason = "tables of limits are easier to read without `&`"
)]

mod bodies;
mod jobs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::broker::{Broker, MODULE, problem};

/// A request and the status that it is answered by.
struct Sent {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn new(method: Method, path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, "")
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A limit: the request at it with its status, the one beyond it with its code, and how
/// the refusal names it.
struct Limit {
    what: &'static str,
    within: (Sent, u16),
    beyond: (Sent, &'static str),
    named: String,
}

fn limit(
    what: &'static str,
    within: (Sent, u16),
    beyond: (Sent, &'static str),
    named: impl ToString,
) -> Limit {
    let named = named.to_string();
    Limit {
        what,
        within,
        beyond,
        named,
    }
}

/// A job whose only task has this field.
fn task(field: &str, value: &Value) -> Sent {
    job(&json!({"count": 1, "defaults": {"argv0": "", field: value}}))
}

/// A job with these fields beside its module and tasks.
fn job(fields: &Value) -> Sent {
    let mut job = json!({"module": "m.wasm"});
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    if job["tasks"].is_null() && job["count"].is_null() {
        job["count"] = json!(1);
    }
    Sent::new(Method::POST, "/v1/jobs", job.to_string())
}

/// The field of a task at its limit and beyond.
fn of_task(what: &'static str, field: &str, within: Value, beyond: Value, named: u64) -> Limit {
    let refused = (task(field, &beyond), "invalid-request");
    limit(what, (task(field, &within), 202), refused, named)
}

/// The field of a job at its limit and beyond.
fn of_job(what: &'static str, within: Value, beyond: Value, named: impl ToString) -> Limit {
    let refused = (job(&beyond), "invalid-request");
    limit(what, (job(&within), 202), refused, named)
}

async fn check(broker: &Broker, limits: Vec<Limit>) {
    let mut wrong = Vec::new();
    for Limit {
        what,
        within,
        beyond,
        named,
    } in limits
    {
        let send = async |sent: Sent| {
            let request = broker
                .client
                .request(sent.method, broker.url.clone() + &sent.path);
            let headers = sent.headers.into_iter();
            let request = headers.fold(request, |request, (name, value)| {
                request.header(name, value)
            });
            request.body(sent.body).send().await.unwrap()
        };
        let (sent, status) = within;
        let response = send(sent).await;
        if response.status() != status {
            let shown = response.text().await.unwrap();
            wrong.push(format!("{what}: refused at the limit: {shown}"));
        }
        let (sent, code) = beyond;
        let response = send(sent).await;
        if response.status().is_success() {
            wrong.push(format!("{what}: taken beyond the limit"));
            continue;
        }
        let (_, found, detail) = problem(response).await;
        if found != code || !detail.contains(&named) {
            wrong.push(format!(
                "{what}: no {code} that names {named}: {found}, {detail}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn with_module(args: &[&str]) -> Broker {
    let broker = Broker::start(args).await;
    let put = broker.send(Method::PUT, "/v1/blobs/m.wasm", MODULE).await;
    assert_eq!(put.status(), 201);
    broker
}
