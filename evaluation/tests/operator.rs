//! What an operator relies on: providers can be drained, sent away and kept out,
//! and tokens open what they are for and nothing else.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::http::Reply;
use wasipool_evaluation::pool::{Pool, Setup};
use wasipool_evaluation::process::Process;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

const LIMIT: Duration = Duration::from_secs(60);

async fn id_of(client: &Client, name: &str) -> anyhow::Result<String> {
    let what = format!("{name} is in the pool");
    let found = client.providers_until(&what, LIMIT, |providers| {
        let found = providers.iter().find(|provider| provider.name == name);
        found.map(|provider| provider.id.clone())
    });
    found.await
}

async fn post(client: &Client, path: &str, body: &Value) -> anyhow::Result<Reply> {
    client.request(Method::POST, path).json(body).send().await
}

fn provider(broker: &str, name: &str, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(programs::program("wasipool-provider")?);
    command.args(["--broker", broker, "--name", name, "--slots", "1"]);
    command.arg("--cache-dir").arg(folder.join("cache"));
    Ok(command)
}

#[test]
fn a_drained_provider_finishes_and_leaves() {
    with_pool(&Setup::broker().native("native", 1), async |pool| {
        let client = pool.client.clone();
        client.put_guests(&["spin"]).await?;
        let job = json!({"module": "spin.wasm", "count": 1, "defaults": {"timeout": "3s"}});
        let job = client.submit(&job).await?;
        // What only waits there would be given back: the guest itself must run.
        let spins = Duration::from_millis(500);
        pool.native("native").computed(spins, LIMIT).await?;
        let id = id_of(&client, "native").await?;
        let reply = post(&client, &format!("/v1/providers/{id}/drain"), &json!({})).await?;
        assert_eq!(reply.status, 202, "{reply}");
        let status = pool.native("native").exited(LIMIT).await?;
        assert!(status.success(), "it leaves of its own accord: {status}");
        let job = client.ended(&job.id, LIMIT).await?;
        assert_eq!(
            job.count("timed_out"),
            1,
            "what ran there ended there: {job:?}"
        );
        let gone = post(&client, &format!("/v1/providers/{id}/drain"), &json!({})).await?;
        assert_eq!(gone.problem()?.code, "not-found");
        Ok(())
    });
}

#[test]
fn a_provider_that_is_sent_away_may_come_again() {
    let setup = Setup::broker().native("one", 1).native("two", 1);
    with_pool(&setup, async |pool: &mut Pool| {
        let client = &pool.client;
        client.put_guests(&["spin"]).await?;
        let job = json!({"module": "spin.wasm", "count": 1, "defaults": {"timeout": "1500ms"}});
        let job = client.submit(&job).await?;
        let busy = client.providers_until("one of them is busy", LIMIT, |providers| {
            providers
                .iter()
                .find(|provider| provider.busy == 1)
                .cloned()
        });
        let busy = busy.await?;
        let reply = post(
            client,
            &format!("/v1/providers/{}/kick", busy.id),
            &json!({}),
        )
        .await?;
        assert_eq!(reply.status, 204, "{reply}");
        let back = client.providers_until("it is back in a new session", LIMIT, |providers| {
            let same = providers.iter().find(|provider| provider.name == busy.name);
            same.filter(|provider| provider.id != busy.id).cloned()
        });
        back.await?;
        let job = client.ended(&job.id, LIMIT).await?;
        assert_eq!(job.count("timed_out"), 1, "its task ran elsewhere: {job:?}");
        let steps = client.trace(&job.id, 0).await?;
        assert!(steps.len() > 4, "{steps:?}");
        Ok(())
    });
}

#[test]
fn a_banned_provider_does_not_come_back_until_the_ban_is_lifted() {
    let setup = Setup::broker().native("evil", 1).native("good", 1);
    with_pool(&setup, async |pool: &mut Pool| {
        let client = pool.client.clone();
        let id = id_of(&client, "evil").await?;
        let wish = json!({"reason": "gives wrong results", "for": "1h"});
        let reply = post(&client, &format!("/v1/providers/{id}/ban"), &wish).await?;
        assert_eq!(reply.status, 201, "{reply}");
        assert_eq!(reply.header("location"), format!("/v1/bans/{id}"));
        let ban: Value = reply.json()?;
        assert_eq!(
            (&ban["name"], &ban["reason"]),
            (&json!("evil"), &wish["reason"])
        );
        assert_eq!(
            ban["address"],
            Value::Null,
            "never by the address of this machine: {ban}"
        );
        assert!(ban["expires"].is_string(), "{ban}");
        let status = pool.native("evil").exited(LIMIT).await?;
        assert!(!status.success(), "it is told not to try again: {status}");

        let folder = tempfile::tempdir()?;
        let again = provider(client.base(), "evil", folder.path())?;
        let mut again = Process::start("again", again, folder.path())?;
        assert!(!again.exited(LIMIT).await?.success());
        let log = std::fs::read_to_string(folder.path().join("again.log"))?;
        assert!(log.contains("gives wrong results"), "it says why: {log}");
        let names: Vec<_> = client
            .providers()
            .await?
            .into_iter()
            .map(|p| p.name)
            .collect();
        assert_eq!(names, ["good"]);

        let list: Value = client.get("/v1/bans").await?.json()?;
        assert_eq!(list["items"], json!([ban]));
        let lift = client.request(Method::DELETE, &format!("/v1/bans/{id}"));
        assert_eq!(lift.send().await?.status, 204);
        let lift = client.request(Method::DELETE, &format!("/v1/bans/{id}"));
        assert_eq!(lift.send().await?.status, 404);
        let welcome = provider(client.base(), "evil", folder.path())?;
        let _welcome = Process::start("welcome", welcome, folder.path())?;
        id_of(&client, "evil").await?;
        Ok(())
    });
}

/// Files of tokens, as an operator writes them.
const TOKENS: [(&str, &str); 3] = [
    ("submit", "# people\nalice:subm1t-s3cret\nsubm1t-other\n"),
    ("provide", "lab:pr0vide-s3cret\n"),
    ("admin", "root:adm1n-s3cret\n"),
];

#[test]
fn tokens_open_what_they_are_for_and_are_in_no_log() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tokens_open_what_they_are_for())
}

async fn tokens_open_what_they_are_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let mut command = Command::new(programs::program("wasipool-broker")?);
    command.args([
        "--http",
        "127.0.0.1:0",
        "--transport",
        "127.0.0.1:0",
        "--ephemeral",
    ]);
    for (kind, tokens) in TOKENS {
        std::fs::write(path(kind), tokens)?;
        command.arg(format!("--{kind}-tokens")).arg(path(kind));
    }
    std::fs::write(path("token"), "pr0vide-s3cret\n")?;
    command.env("RUST_LOG", "trace");
    let mut broker = Process::start("broker", command, folder.path())?;
    let line = broker.line("wasipool-broker ready ", LIMIT).await?;
    let url = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http="));
    let client = Client::new(url.unwrap_or_default())?;
    let send = async |method: &Method, path: &str, token: &str, body: &[u8]| {
        let request = client.request(method.clone(), path).body(body);
        let bearer = format!("Bearer {token}");
        request.header("authorization", &bearer).send().await
    };

    // In only with the token.
    let mut stranger = provider(client.base(), "stranger", folder.path())?;
    stranger.arg("--once");
    let mut stranger = Process::start("stranger", stranger, folder.path())?;
    assert!(!stranger.exited(LIMIT).await?.success());
    let mut member = provider(client.base(), "member", folder.path())?;
    member
        .arg("--token-file")
        .arg(path("token"))
        .env("RUST_LOG", "trace");
    let mut member = Process::start("member", member, folder.path())?;
    member.line("wasipool-provider ready ", LIMIT).await?;

    let wasm = programs::guest("hello")?;
    let put = (Method::PUT, "/v1/blobs/hello.wasm");
    for (token, status) in [
        ("pr0vide-s3cret", 403),
        ("alice:subm1t-s3cret", 401),
        ("subm1t-s3cret", 201),
        ("subm1t-other", 200),
        ("adm1n-s3cret", 200),
    ] {
        let reply = send(&put.0, put.1, token, &wasm).await?;
        assert_eq!(reply.status, status, "{token}: {reply}");
    }
    let run = "/v1/run/hello.wasm";
    let reply = send(&Method::POST, run, "subm1t-s3cret", b"").await?;
    assert_eq!(
        (
            reply.status.as_u16(),
            reply.header("wasipool-provider-name")
        ),
        (200, "member")
    );
    // The earlier system's calls are no way around.
    let earlier = client.request(Method::POST, "/api/client/run/hello.wasm");
    assert_eq!(earlier.send().await?.status, 401);
    let reply = send(
        &Method::POST,
        "/api/client/run/hello.wasm",
        "subm1t-other",
        b"",
    )
    .await?;
    assert_eq!(reply.status, 200, "{reply}");

    let listed = send(&Method::GET, "/v1/providers", "adm1n-s3cret", b"").await?;
    let listed: Value = listed.json()?;
    let id = listed["items"][0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let drain = format!("/v1/providers/{id}/drain");
    for (token, status) in [
        ("wrong", 401),
        ("subm1t-s3cret", 403),
        ("pr0vide-s3cret", 403),
        ("adm1n-s3cret", 202),
    ] {
        let reply = send(&Method::POST, &drain, token, b"").await?;
        assert_eq!(reply.status, status, "{token}: {reply}");
    }
    assert!(member.exited(LIMIT).await?.success());

    let log = std::fs::read_to_string(path("broker.log"))?
        + &std::fs::read_to_string(path("member.log"))?;
    assert!(
        log.contains("by=\"root\"") || log.contains("by=root"),
        "it says who: {log}"
    );
    for secret in ["s3cret", "subm1t-other"] {
        assert!(!log.contains(secret), "a token is in a log");
    }
    Ok(())
}
