//! The worked examples of `docs/PROTOCOL.md`, held against the code.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use wasipool_shared::capacity::{Capacity, Features, ProviderKind};
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};
use wasipool_shared::task::{BlobRef, Files, Outcome, Payload, TaskLimits, TaskSpec, Timing};
use wasipool_shared::wire::bulk::{BulkHeader, OutputPart};
use wasipool_shared::wire::frame::FrameWriter;
use wasipool_shared::wire::message::*;
use wasipool_shared::wire::piece::Piece;
use wasipool_shared::wire::version::VersionRange;

/// The examples by name: each stands in a block that starts with
/// ```` ```hex NAME ````; what follows `#` on a line explains it.
fn documented() -> BTreeMap<String, String> {
    let text = include_str!("../../docs/PROTOCOL.md");
    let mut examples = BTreeMap::new();
    for block in text.split("```hex ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name and a body");
        let body = rest.split("```").next().expect("the block ends");
        let digits = body
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        let hex: String = digits.collect::<String>().split_whitespace().collect();
        assert!(
            examples.insert(name.to_owned(), hex).is_none(),
            "{name} is there twice"
        );
    }
    examples
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn frame<M: serde::Serialize>(all: &[M]) -> String {
    hex(&framed(all))
}

fn framed<M: serde::Serialize>(all: &[M]) -> bytes::Bytes {
    let mut writer = FrameWriter::default();
    for message in all {
        let _ = writer.push(message).unwrap();
    }
    writer.take()
}

fn module() -> BlobRef {
    BlobRef {
        digest: Digest::of(b"abc"),
        size: 300,
    }
}

fn coded() -> BTreeMap<String, String> {
    let hello = Hello {
        versions: VersionRange { min: 1, max: 1 },
        ticket: "t1".into(),
        name: "lab-3".into(),
        kind: ProviderKind::Browser,
        agent: "x".into(),
        capacity: Capacity {
            slots: 2,
            memory_bytes: 1 << 30,
            features: Features::SIMD,
            speed: 1_000,
        },
    };
    let welcome = HelloReply::Welcome(Welcome {
        protocol: 1,
        provider: ProviderId(7),
        idle_ms: 15_000,
        heartbeat_ms: 3_000,
        assignments_max: 2_048,
    });
    let refuse = HelloReply::Refuse(Refuse {
        code: RefuseCode::Ticket,
        text: "used".into(),
    });
    let assign = ToProvider::Assign(Assignment {
        attempt: AttemptId(300),
        task: TaskId {
            job: JobId(5),
            index: 1,
        },
        module: module(),
        label: "sum".into(),
        spec: TaskSpec {
            args: vec!["hi".into(), "1".into()],
            env: vec![("K".into(), "V".into())],
            stdin: Payload::Inline("in".into()),
            files: Files::None,
            artifacts: vec!["out".into()],
            limits: TaskLimits {
                timeout_ms: 60_000,
                memory_bytes: 1 << 28,
                output_bytes: 1 << 24,
                artifact_bytes: 1 << 26,
            },
            seed: None,
        },
    });
    let ended = ToBroker::Ended(Ended {
        attempt: AttemptId(300),
        outcome: Outcome::Exited(0),
        stdout: Output::Inline("hi\n".into()),
        stderr: Output::Inline(bytes::Bytes::new()),
        artifacts: vec![Artifact {
            path: "out".into(),
            content: Output::Stream { size: 40_000 },
        }],
        timing: Timing {
            transfer_us: 0,
            prepare_us: 5,
            run_us: 200,
        },
    });
    let output = BulkHeader::Output {
        attempt: AttemptId(300),
        part: OutputPart::Artifact(0),
        size: 40_000,
    };
    let blob = BulkHeader::Blob(module());
    let control = Piece::Control {
        content: framed(&[ToProvider::Pong(9), ToProvider::Revoke(AttemptId(300))]),
        last: false,
    };
    let bulk = Piece::Bulk {
        stream: 1,
        content: output.encode().unwrap().into(),
        first: true,
        last: true,
    };
    let credit = Piece::Credit {
        stream: 1,
        bytes: 11,
    };
    BTreeMap::from([
        ("hello".into(), frame(&[hello])),
        ("welcome".into(), frame(&[welcome])),
        ("refuse".into(), frame(&[refuse])),
        ("want".into(), frame(&[ToBroker::Want(module().digest)])),
        ("assign".into(), frame(&[assign])),
        ("ended".into(), frame(&[ended])),
        (
            "two-messages".into(),
            frame(&[ToProvider::Pong(9), ToProvider::Revoke(AttemptId(300))]),
        ),
        ("bulk-output".into(), hex(&output.encode().unwrap())),
        ("bulk-blob".into(), hex(&blob.encode().unwrap())),
        ("piece-control".into(), hex(&control.encode())),
        ("piece-bulk".into(), hex(&bulk.encode())),
        ("piece-credit".into(), hex(&credit.encode())),
        (
            "piece-stop".into(),
            hex(&Piece::Stop { stream: 2 }.encode()),
        ),
    ])
}

#[test]
fn the_worked_examples_are_what_the_code_writes() {
    let documented = documented();
    for (name, coded) in coded() {
        let written = documented.get(&name).map(String::as_str);
        assert_eq!(
            written,
            Some(coded.as_str()),
            "example {name} of docs/PROTOCOL.md"
        );
    }
    assert_eq!(
        documented.len(),
        coded().len(),
        "an example that no code stands for"
    );
}
