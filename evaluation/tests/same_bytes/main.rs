//! Every guest gives the same bytes on a native provider and in a tab, and they
//! are those that a person expects: each case is a line of one table.

mod archives;
mod cases;

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::model::TaskResult;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

use cases::{Case, Text};

const GUESTS: [&str; 13] = [
    "cat",
    "conformance",
    "exit",
    "files",
    "flood",
    "hello",
    "hello-c",
    "hello-wat",
    "hog",
    "noop",
    "spin",
    "trap",
    "tsp",
];

#[test]
fn guests_give_the_same_bytes_on_both_kinds() {
    check(Setup::broker(), &cases::all());
}

#[test]
fn they_do_by_websocket_too() {
    let some: Vec<Case> = cases::all().into_iter().step_by(4).collect();
    check(Setup::broker().without_udp(), &some);
}

fn check(setup: Setup, cases: &[Case]) {
    with_pool(&setup.native("native", 2).tab(2), async |pool| {
        let client = &pool.client;
        client.put_guests(&GUESTS).await?;
        if programs::has_guest("hello-go") {
            client.put_guests(&["hello-go"]).await?;
        }
        for (name, bytes) in archives::all()? {
            client.put_blob(name, bytes).await?;
        }
        client
            .put_blob("dice", include_str!("../guests/dice.wat"))
            .await?;

        // All at once, so that the table takes the time of its slowest cases.
        let mut submitted = Vec::new();
        for case in cases {
            let mut of_kinds = Vec::new();
            for kind in ["native", "browser"] {
                let mut job = case.job.clone();
                job["count"] = json!(1);
                job["requires"] = json!({ "kind": kind });
                let job = client.submit(&job).await.context(case.name)?;
                of_kinds.push((kind, job.id));
            }
            submitted.push((case, of_kinds));
        }
        let mut wrong = Vec::new();
        for (case, of_kinds) in submitted {
            let mut seen = Vec::new();
            for (kind, id) in of_kinds {
                let name = format!("{} ({kind})", case.name);
                client
                    .ended(&id, Duration::from_secs(90))
                    .await
                    .context(name.clone())?;
                let result = client.result(&id, 0).await.context(name.clone())?;
                let outcome = outcome(client, &result).await.context(name.clone())?;
                if result
                    .provider
                    .as_ref()
                    .map(|provider| provider.kind.as_str())
                    != Some(kind)
                {
                    wrong.push(format!("{name} ran at {:?}", result.provider));
                }
                wrong.extend(
                    case.check(&outcome)
                        .into_iter()
                        .map(|what| format!("{name}: {what}")),
                );
                seen.push(outcome);
            }
            if seen[0] != seen[1] {
                wrong.push(format!(
                    "{} differs:\n{:?}\n{:?}",
                    case.name, seen[0], seen[1]
                ));
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        Ok(())
    });
}

/// All of a result that must not depend on where it ran.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    state: String,
    exit_code: Option<u32>,
    /// Only its first line: what follows is the engine's backtrace.
    reason: Option<String>,
    backtrace: Backtrace,
    stdout: Bytes,
    stderr: Bytes,
    artifacts: Vec<(String, Bytes)>,
}

/// Engines write the same frames in different ways: equal as long as each has
/// the names that a case asks for.
#[derive(Debug)]
struct Backtrace(String);

impl PartialEq for Backtrace {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Backtrace {}

/// Bytes that a failure shows as text, the beginning of them.
#[derive(PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        shown(f, &self.0)
    }
}

fn shown(f: &mut std::fmt::Formatter<'_>, bytes: &[u8]) -> std::fmt::Result {
    let beginning = &bytes[..bytes.len().min(400)];
    write!(f, "{} bytes \"{}\"", bytes.len(), beginning.escape_ascii())
}

async fn outcome(client: &Client, result: &TaskResult) -> anyhow::Result<Outcome> {
    let mut artifacts = Vec::new();
    for artifact in &result.artifacts {
        let bytes = client.get(&artifact.url).await?.body;
        anyhow::ensure!(
            bytes.len() as u64 == artifact.size,
            "{artifact:?} has {}",
            bytes.len()
        );
        artifacts.push((artifact.path.clone(), Bytes(bytes)));
    }
    let reason = result.reason.clone().unwrap_or_default();
    Ok(Outcome {
        state: result.state.clone(),
        exit_code: result.exit_code,
        reason: reason.lines().next().map(str::to_owned),
        backtrace: Backtrace(reason),
        stdout: Bytes(client.stdout(result).await?),
        stderr: Bytes(client.stderr(result).await?),
        artifacts,
    })
}

impl Case {
    /// What is not as it must be.
    fn check(&self, seen: &Outcome) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{what} is wrong in {seen:?}"));
            }
        };
        expect(
            seen.state == self.state,
            &format!("state, expected {},", self.state),
        );
        expect(seen.exit_code == self.exit_code, "exit_code");
        for name in self.reason {
            expect(
                seen.backtrace.0.contains(name),
                &format!("reason, expected {name},"),
            );
        }
        expect(
            self.stdout.matches(&seen.stdout.0),
            &format!("stdout, expected {:?},", self.stdout),
        );
        expect(
            self.stderr.matches(&seen.stderr.0),
            &format!("stderr, expected {:?},", self.stderr),
        );
        let paths: Vec<_> = seen
            .artifacts
            .iter()
            .map(|(path, bytes)| (path.as_str(), &bytes.0))
            .collect();
        let expected: Vec<_> = self
            .artifacts
            .iter()
            .map(|(path, bytes)| (*path, bytes))
            .collect();
        expect(paths == expected, "artifacts");
        wrong
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Is(bytes) => shown(f, bytes),
            Self::Holds(part) => write!(f, "something with {part:?}"),
            Self::BeginningOf(bytes) => {
                f.write_str("the beginning of ")?;
                shown(f, bytes)
            }
        }
    }
}

impl Text {
    fn matches(&self, seen: &[u8]) -> bool {
        match self {
            Self::Is(bytes) => seen == bytes,
            Self::Holds(part) => String::from_utf8_lossy(seen).contains(part),
            Self::BeginningOf(bytes) => bytes.starts_with(seen),
        }
    }
}
