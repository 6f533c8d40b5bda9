//! Whose token let a provider in counts for a quorum: providers of one owner
//! confirm nobody, however many they are.

use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use wasipool_evaluation::client::Client;
use wasipool_evaluation::process::Process;
use wasipool_evaluation::programs;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_quorum_needs_different_accounts() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("submit"), "people:s3nd-something\n")?;
        std::fs::write(path("provide"), "ann:j0in-as-ann\nbob:j0in-as-bob\n")?;
        let mut command = Command::new(programs::program("wasipool-broker")?);
        command.args(["--http", "127.0.0.1:0", "--transport", "127.0.0.1:0"]);
        command.arg("--ephemeral");
        command.arg("--submit-tokens").arg(path("submit"));
        command.arg("--provide-tokens").arg(path("provide"));
        let mut broker = Process::start("broker", command, folder.path())?;
        let line = broker.line("wasipool-broker ready ", LIMIT).await?;
        let mut words = line.split_whitespace();
        let url = words.find_map(|word| word.strip_prefix("http="));
        let client = Client::new(url.unwrap_or_default())?;
        let send = async |method, path: &str, body: Vec<u8>| {
            let request = client.request(method, path).body(body);
            let bearer = "Bearer s3nd-something";
            request.header("authorization", bearer).send_ok().await
        };
        let join = async |name: &str, token: &str| {
            std::fs::write(path(token), token)?;
            let mut command = Command::new(programs::program("wasipool-provider")?);
            command.args(["--broker", client.base(), "--name", name, "--slots", "1"]);
            command.arg("--token-file").arg(path(token));
            command.arg("--cache-dir").arg(path("cache"));
            let mut process = Process::start(name, command, folder.path())?;
            process.line("wasipool-provider ready ", LIMIT).await?;
            anyhow::Ok(process)
        };
        let run = async |patience: &str| -> anyhow::Result<Value> {
            let job = json!({
                "module": "hello.wasm", "count": 1, "quorum": 2, "placement_timeout": patience,
            });
            let job = job.to_string().into_bytes();
            let job: Value = send(Method::POST, "/v1/jobs?wait=60s", job).await?.json()?;
            Ok(job["results"][0].clone())
        };
        send(
            Method::PUT,
            "/v1/blobs/hello.wasm",
            programs::guest("hello")?,
        )
        .await?;

        let _first = join("ann-1", "j0in-as-ann").await?;
        let _second = join("ann-2", "j0in-as-ann").await?;
        let alone = run("1s").await?;
        assert_eq!(alone["state"], "disputed", "nobody confirms it: {alone}");
        let reason = alone["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("no provider of another account"), "{alone}");

        let _third = join("bob-1", "j0in-as-bob").await?;
        let confirmed = run("60s").await?;
        assert_eq!(confirmed["state"], "succeeded", "{confirmed}");
        Ok(())
    })
}
