//! The program against a broker that is played by the test: getting in,
//! running tasks, leaving.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

#[path = "support/broker.rs"]
mod broker;
mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use broker::{FakeBroker, FakeSession, soon};
use support::{guest, spec, spec as task};
use tempfile::TempDir;
use wasipool_shared::capacity::{Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, TaskId};
use wasipool_shared::task::{BlobRef, Fault, Outcome, Payload, TaskSpec};
use wasipool_shared::wire::bulk::{BulkHeader, OutputPart};
use wasipool_shared::wire::message::{Assignment, Ended, Output, ToBroker, ToProvider};

/// The program; it ends with the test.
struct Provider {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Provider {
    fn start(broker: &FakeBroker, cache: &TempDir, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wasipool-provider"))
            .args(["--broker", &broker.url, "--slots", "2", "--name", "tested"])
            .args(["--memory", "1GiB", "--cache-dir"])
            .arg(cache.path())
            .args(args)
            .env("TMPDIR", cache.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Its exit code, and what else it wrote to stdout.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn blob(bytes: &[u8]) -> BlobRef {
    BlobRef {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
    }
}

fn assign(attempt: u64, wasm: &[u8], spec: TaskSpec) -> ToProvider {
    let task = TaskId {
        job: JobId::from_parts(1, 1),
        index: 0,
    };
    ToProvider::Assign(Assignment {
        attempt: AttemptId(attempt),
        task,
        module: blob(wasm),
        label: "label".into(),
        spec,
    })
}

async fn ended(session: &mut FakeSession) -> Ended {
    match session.hear().await {
        Some(ToBroker::Ended(ended)) => ended,
        other => panic!("{other:?}"),
    }
}

fn test<F: Future<Output = ()>>(body: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(body);
}

#[test]
fn tasks_run_blobs_travel_once_and_the_provider_leaves_politely() {
    test(async {
        let broker = FakeBroker::start();
        let cache = tempfile::tempdir().unwrap();
        let mut provider = Provider::start(&broker, &cache, &[]);
        let mut session = broker.session().await;
        let hello = &session.hello;
        assert_eq!((&*hello.ticket, &*hello.name), ("let-me-in", "tested"));
        assert_eq!(
            (hello.kind, hello.capacity.slots),
            (ProviderKind::Native, 2)
        );
        assert_eq!(hello.capacity.memory_bytes, 1 << 30);
        assert!(hello.capacity.speed > 0 && hello.capacity.features.contains(Features::SIMD));
        let id = session.welcome().await;
        let ready = format!(
            "wasipool-provider ready broker={} provider={id} slots=2\n",
            broker.url
        );
        assert_eq!(provider.line(), ready);

        // A module that it doesn't have, and small output.
        let wasm = guest("hello");
        session.say(assign(1, &wasm, spec(&["hello"]))).await;
        assert_eq!(
            session.hear().await,
            Some(ToBroker::Want(Digest::of(&wasm)))
        );
        session.send_blob(blob(&wasm), &wasm).await;
        let result = ended(&mut session).await;
        assert_eq!(
            (result.attempt, result.outcome),
            (AttemptId(1), Outcome::Exited(0))
        );
        assert_eq!(
            result.stdout,
            Output::Inline("hello from rust\narg[0]=hello\n".into())
        );
        assert!(result.timing.prepare_us > 0);

        // The same module again: nothing is asked for.
        session.say(assign(2, &wasm, spec(&["again"]))).await;
        assert_eq!(ended(&mut session).await.attempt, AttemptId(2));

        // Large input and output.
        let wasm = guest("cat");
        let input: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 253) as u8).collect();
        let spec = |stdin| TaskSpec {
            stdin,
            ..task(&["cat"])
        };
        session
            .say(assign(3, &wasm, spec(Payload::Blob(blob(&input)))))
            .await;
        for _ in 0..2 {
            let wanted = session.hear().await;
            let bytes = [&wasm, &input]
                .into_iter()
                .find(|bytes| wanted == Some(ToBroker::Want(Digest::of(bytes))))
                .unwrap_or_else(|| panic!("{wanted:?}"));
            session.send_blob(blob(bytes), bytes).await;
        }
        let size = input.len() as u64;
        assert_eq!(ended(&mut session).await.stdout, Output::Stream { size });
        let (header, bytes) = session.receive_bulk().await;
        let part = OutputPart::Stdout;
        assert_eq!(
            header,
            BulkHeader::Output {
                attempt: AttemptId(3),
                part,
                size
            }
        );
        assert!(bytes == input);

        // A blob that isn't what it should be.
        session
            .say(assign(4, &wasm, spec(Payload::Blob(blob(b"right")))))
            .await;
        session.hear().await;
        session.send_blob(blob(b"right"), b"wrong").await;
        match session.hear().await {
            Some(ToBroker::Failed {
                attempt: AttemptId(4),
                fault: Fault::Blob(_),
            }) => {}
            other => panic!("{other:?}"),
        }

        // A guest that is stopped makes room; the one that runs on at SIGTERM
        // is finished.
        let spin = guest("spin");
        session.say(assign(5, &spin, task(&["spin"]))).await;
        session.hear().await;
        session.send_blob(blob(&spin), &spin).await;
        session.say(ToProvider::Revoke(AttemptId(5))).await;
        let mut last = task(&["spin"]);
        last.limits.timeout_ms = 300;
        session.say(assign(6, &spin, last)).await;
        session.say(assign(7, &wasm, spec(Payload::EMPTY))).await;
        assert_eq!(ended(&mut session).await.attempt, AttemptId(7));
        provider.terminate();
        let mut heard = Vec::new();
        while let Some(message) = session.hear().await {
            heard.push(message);
        }
        let [ToBroker::Draining, ToBroker::Ended(last), ToBroker::Bye] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!(
            (last.attempt, &last.outcome),
            (AttemptId(6), &Outcome::TimedOut)
        );
        soon(session.connection.closed()).await;
        assert_eq!(provider.end(), (Some(0), String::new()));
    });
}

#[test]
fn it_comes_back_and_remembers_its_modules() {
    test(async {
        let broker = FakeBroker::start();
        let cache = tempfile::tempdir().unwrap();
        let mut provider = Provider::start(&broker, &cache, &[]);
        let mut session = broker.session().await;
        session.welcome().await;
        provider.line();
        let spin = guest("spin");
        session.say(assign(1, &spin, spec(&["spin"]))).await;
        session.hear().await;
        session.send_blob(blob(&spin), &spin).await;
        // While a guest runs; attempts are numbered anew afterwards.
        session.drop_connection();

        let mut session = broker.session().await;
        session.welcome().await;
        let mut short = spec(&["spin"]);
        short.limits.timeout_ms = 20;
        session.say(assign(1, &spin, short)).await;
        assert_eq!(ended(&mut session).await.outcome, Outcome::TimedOut);
        provider.terminate();
        assert_eq!(session.hear().await, Some(ToBroker::Draining));
        assert_eq!(session.hear().await, Some(ToBroker::Bye));
        assert_eq!(
            provider.end(),
            (Some(0), String::new()),
            "it is ready only once"
        );
    });
}

#[test]
fn the_drain_has_an_end_and_once_is_once() {
    test(async {
        let broker = FakeBroker::start();
        let cache = tempfile::tempdir().unwrap();
        let provider = Provider::start(&broker, &cache, &["--drain-timeout", "50ms"]);
        let mut session = broker.session().await;
        session.welcome().await;
        let spin = guest("spin");
        session.say(assign(1, &spin, spec(&["spin"]))).await;
        session.hear().await;
        session.send_blob(blob(&spin), &spin).await;
        // Once this one has ended, the other one runs.
        session
            .say(assign(2, &guest("noop"), spec(&["noop"])))
            .await;
        session.hear().await;
        session
            .send_blob(blob(&guest("noop")), &guest("noop"))
            .await;
        assert_eq!(ended(&mut session).await.attempt, AttemptId(2));
        provider.terminate();
        assert_eq!(session.hear().await, Some(ToBroker::Draining));
        // What didn't end in time goes to somebody else.
        let returned = ToBroker::Returned(AttemptId(1));
        assert_eq!(session.hear().await, Some(returned));
        assert_eq!(session.hear().await, Some(ToBroker::Bye));
        assert_eq!(provider.end().0, Some(0));

        let provider = Provider::start(&broker, &cache, &["--once"]);
        let mut session = broker.session().await;
        session.welcome().await;
        session.drop_connection();
        assert_eq!(provider.end().0, Some(1));
    });
}
