//! The session's rules, each driven by hand.

use bytes::Bytes;

use super::outcome::RunResult;
use super::*;
use crate::capacity::{Features, ProviderKind};
use crate::ids::{JobId, ProviderId, TaskId};
use crate::limits::INLINE_BYTES_MAX;
use crate::task::{Files, Outcome, Payload, TaskLimits, TaskSpec, Timing};
use crate::wire::bulk::OutputPart;
use crate::wire::message::{Ended, Output};

const MS: u64 = 1_000;

struct Driven {
    session: Session,
    now_us: u64,
}

fn capacity(slots: u16) -> Capacity {
    Capacity {
        slots,
        memory_bytes: 1 << 30,
        features: Features::default(),
        speed: 1_000,
    }
}

fn blob(name: &str) -> BlobRef {
    BlobRef {
        digest: Digest::of(name.as_bytes()),
        size: name.len() as u64,
    }
}

fn assignment(attempt: u64) -> Assignment {
    Assignment {
        attempt: AttemptId(attempt),
        task: TaskId {
            job: JobId(1),
            index: 0,
        },
        module: blob("module"),
        label: "label".into(),
        spec: TaskSpec {
            args: vec!["module".into()],
            env: Vec::new(),
            stdin: Payload::EMPTY,
            files: Files::None,
            artifacts: Vec::new(),
            limits: TaskLimits {
                timeout_ms: 1,
                memory_bytes: 1,
                output_bytes: 1,
                artifact_bytes: 1,
            },
            seed: None,
        },
    }
}

fn result(attempt: u64, stdout: usize) -> RunResult {
    RunResult {
        attempt: AttemptId(attempt),
        outcome: Outcome::Exited(0),
        stdout: Bytes::from(vec![b'x'; stdout]),
        stderr: Bytes::new(),
        artifacts: Vec::new(),
        run_us: 2 * MS,
    }
}

impl Driven {
    /// A session that is in.
    fn welcomed(slots: u16) -> Self {
        Self::welcomed_ahead(slots, 0)
    }

    /// The same, with a shell that has a queue.
    fn welcomed_ahead(slots: u16, ahead: u16) -> Self {
        let mut effects = Vec::new();
        let config = Config {
            ticket: "t".into(),
            name: "n".into(),
            kind: ProviderKind::Native,
            agent: "a".into(),
            capacity: capacity(slots),
            ahead,
        };
        let session = Session::new(config, 0, &mut effects);
        assert!(matches!(effects.as_slice(), [Effect::SendHello(hello)] if hello.ticket == "t"));
        let mut driven = Self { session, now_us: 0 };
        let welcome = Welcome {
            protocol: 1,
            provider: ProviderId(5),
            idle_ms: 15_000,
            heartbeat_ms: 3_000,
            assignments_max: if ahead > 0 { 100 } else { 4 },
        };
        let effects = driven.input(Input::Reply(HelloReply::Welcome(welcome.clone())));
        assert_eq!(effects, [Effect::Welcomed(welcome)]);
        driven
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.session.handle(self.now_us, input, &mut effects);
        effects
    }

    fn assign(&mut self, attempt: u64) -> Vec<Effect> {
        self.input(Input::Message(ToProvider::Assign(assignment(attempt))))
    }

    fn have(&mut self, name: &str) -> Vec<Effect> {
        self.input(Input::Have(blob(name).digest))
    }
}

fn started(effects: &[Effect]) -> Vec<u64> {
    let attempt = |effect: &Effect| match effect {
        Effect::Start(assignment) => Some(assignment.attempt.0),
        _ => None,
    };
    effects.iter().filter_map(attempt).collect()
}

#[test]
fn an_assignment_goes_from_blob_to_start_to_outcome() {
    let mut driven = Driven::welcomed(1);
    assert_eq!(
        driven.assign(1),
        [Effect::Locate(blob("module"), BlobUse::Module)]
    );
    let want = Effect::Send(ToBroker::Want(blob("module").digest));
    assert_eq!(driven.input(Input::Missing(blob("module").digest)), [want]);
    driven.now_us = 10 * MS;
    assert_eq!(started(&driven.have("module")), [1]);
    assert_eq!((driven.session.running(), driven.session.waiting()), (1, 0));
    driven.now_us = 15 * MS;
    let effects = driven.input(Input::Ended(result(1, 3)));
    let ended = Ended {
        attempt: AttemptId(1),
        outcome: Outcome::Exited(0),
        stdout: Output::Inline("xxx".into()),
        stderr: Output::Inline(Bytes::new()),
        artifacts: Vec::new(),
        timing: Timing {
            transfer_us: 10 * MS,
            prepare_us: 3 * MS,
            run_us: 2 * MS,
        },
    };
    let release = Effect::Release(blob("module").digest);
    assert_eq!(effects, [release, Effect::Send(ToBroker::Ended(ended))]);
    assert_eq!(driven.session.running(), 0);
}

#[test]
fn no_more_run_than_there_are_slots_and_in_order() {
    let mut driven = Driven::welcomed(2);
    for attempt in 1..=4 {
        driven.assign(attempt);
    }
    assert_eq!(started(&driven.have("module")), [1, 2]);
    assert_eq!(started(&driven.input(Input::Ended(result(2, 0)))), [3]);
    // Fewer slots: what runs goes on, nothing new begins until there is room.
    driven.input(Input::Capacity(capacity(1)));
    assert_eq!(
        started(&driven.input(Input::Ended(result(1, 0)))),
        [0_u64; 0]
    );
    assert_eq!(started(&driven.input(Input::Ended(result(3, 0)))), [4]);
}

#[test]
fn guests_that_are_over_at_once_are_started_ahead() {
    let mut driven = Driven::welcomed_ahead(1, 2);
    let ended = |attempt, run_us| {
        Input::Ended(RunResult {
            run_us,
            ..result(attempt, 0)
        })
    };
    driven.assign(1);
    assert_eq!(started(&driven.have("module")), [1]);
    for attempt in 2..10 {
        assert!(
            driven.assign(attempt).is_empty(),
            "nothing is known of them"
        );
    }
    assert_eq!(started(&driven.input(ended(1, 20))), [2, 3, 4]);
    assert_eq!(started(&driven.input(ended(2, 20))), [5]);
    // One that takes its time: those after it wait for their slot.
    assert!(started(&driven.input(ended(3, 50 * MS))).is_empty());
    assert!(started(&driven.input(ended(4, 50 * MS))).is_empty());
    assert_eq!(started(&driven.input(ended(5, 50 * MS))), [6]);
    // A pause gives back only what wasn't started.
    let paused = driven.input(Input::Capacity(capacity(0)));
    assert!(!paused.contains(&returned(6)) && paused.contains(&returned(7)));
    assert!(started(&paused).is_empty());
}

#[test]
fn more_than_announced_breaks_the_protocol() {
    let mut driven = Driven::welcomed(1);
    for attempt in 1..=4 {
        driven.assign(attempt);
    }
    let effects = driven.assign(5);
    assert!(
        matches!(
            effects.last(),
            Some(Effect::Close(CloseReason::Protocol(_)))
        ),
        "{effects:?}"
    );
    assert!(driven.assign(6).is_empty(), "nothing follows");
}

#[test]
fn a_revoked_attempt_stops_wherever_it_is() {
    let mut driven = Driven::welcomed(1);
    for attempt in 1..=3 {
        driven.assign(attempt);
    }
    driven.have("module");
    let revoke = |attempt| Input::Message(ToProvider::Revoke(AttemptId(attempt)));
    assert!(driven.input(revoke(2)).is_empty(), "it only waited");
    let effects = driven.input(revoke(1));
    assert_eq!(effects[0], Effect::Stop(AttemptId(1)));
    assert_eq!(started(&effects), [3], "its slot is free");
    assert!(
        driven.input(Input::Ended(result(1, 0))).is_empty(),
        "its result is not wanted"
    );
    // An assignment on a stream of its own may come after its revocation.
    assert!(driven.input(revoke(9)).is_empty());
    assert!(driven.assign(9).is_empty());
    assert_eq!(driven.session.waiting(), 0);
}

#[test]
fn a_blob_that_fails_fails_who_waits_for_it() {
    let mut driven = Driven::welcomed(2);
    let mut with_stdin = assignment(2);
    with_stdin.spec.stdin = Payload::Blob(blob("stdin"));
    driven.assign(1);
    driven.input(Input::Message(ToProvider::Assign(with_stdin)));
    assert_eq!(
        started(&driven.have("module")),
        [1],
        "2 waits for its stdin"
    );
    let effects = driven.input(Input::Message(ToProvider::NoBlob(blob("stdin").digest)));
    let failed = effects.iter().any(|effect| {
        matches!(
            effect,
            Effect::Send(ToBroker::Failed {
                attempt: AttemptId(2),
                fault: Fault::Blob(_)
            })
        )
    });
    assert!(failed, "{effects:?}");
    assert!(effects.contains(&Effect::Release(blob("stdin").digest)));
    assert_eq!(driven.session.running(), 1);
    // Asked for anew by the next who needs it.
    let mut again = assignment(3);
    again.spec.stdin = Payload::Blob(blob("stdin"));
    let effects = driven.input(Input::Message(ToProvider::Assign(again)));
    assert_eq!(effects, [Effect::Locate(blob("stdin"), BlobUse::Data)]);
}

#[test]
fn what_is_too_large_for_a_message_goes_on_a_stream() {
    let mut driven = Driven::welcomed(1);
    driven.assign(1);
    driven.have("module");
    let mut large = result(1, INLINE_BYTES_MAX);
    large.artifacts = vec![("a".into(), "A".into()), ("empty".into(), Bytes::new())];
    let effects = driven.input(Input::Ended(large));
    let header = BulkHeader::Output {
        attempt: AttemptId(1),
        part: OutputPart::Artifact(0),
        size: 1,
    };
    assert_eq!(
        effects[1],
        Effect::SendBulk(header, "A".into()),
        "{effects:?}"
    );
    let Effect::Send(ToBroker::Ended(ended)) = &effects[2] else {
        panic!("{effects:?}")
    };
    assert_eq!(ended.stdout.size(), INLINE_BYTES_MAX as u64);
    assert!(
        matches!(ended.stdout, Output::Inline(_)),
        "just at the limit"
    );
    assert_eq!(ended.artifacts[0].content, Output::Stream { size: 1 });
    assert_eq!(ended.artifacts[1].content, Output::Inline(Bytes::new()));
}

#[test]
fn a_draining_provider_gives_back_what_waits_and_leaves_after_the_rest() {
    let mut driven = Driven::welcomed(1);
    driven.assign(1);
    driven.assign(2);
    driven.have("module");
    let effects = driven.input(Input::Drain);
    let sent: Vec<_> = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Send(_)))
        .collect();
    let returned = Effect::Send(ToBroker::Returned(AttemptId(2)));
    assert_eq!(sent, [&Effect::Send(ToBroker::Draining), &returned]);
    assert_eq!(
        driven.assign(3),
        [Effect::Send(ToBroker::Returned(AttemptId(3)))]
    );
    let effects = driven.input(Input::Ended(result(1, 0)));
    assert_eq!(
        effects[effects.len() - 2..],
        [
            Effect::Send(ToBroker::Bye),
            Effect::Close(CloseReason::Drained)
        ]
    );
    assert!(!CloseReason::Drained.may_retry());
}

fn returned(attempt: u64) -> Effect {
    Effect::Send(ToBroker::Returned(AttemptId(attempt)))
}

#[test]
fn a_paused_provider_gives_back_what_waits_and_finishes_what_runs() {
    let mut driven = Driven::welcomed(1);
    driven.assign(1);
    driven.assign(2);
    driven.have("module");
    let paused = driven.input(Input::Capacity(capacity(0)));
    let told = Effect::Send(ToBroker::Capacity(capacity(0)));
    assert_eq!(paused, [told, returned(2)]);
    assert_eq!(driven.assign(3), [returned(3)], "it was under way");
    let ended = driven.input(Input::Ended(result(1, 0)));
    assert!(matches!(
        ended.last(),
        Some(Effect::Send(ToBroker::Ended(_)))
    ));
    let resumed = driven.input(Input::Capacity(capacity(1)));
    assert_eq!(resumed, [Effect::Send(ToBroker::Capacity(capacity(1)))]);
    driven.assign(4);
    assert_eq!(started(&driven.have("module")), [4]);
}

#[test]
fn who_gives_back_or_leaves_returns_all_that_it_has() {
    for input in [Input::GiveBack, Input::Leave] {
        let leaves = input == Input::Leave;
        let mut driven = Driven::welcomed(1);
        driven.assign(1);
        driven.assign(2);
        driven.have("module");
        let effects = driven.input(input);
        let release = Effect::Release(blob("module").digest);
        let mut expected = vec![
            Effect::Stop(AttemptId(1)),
            returned(1),
            release,
            returned(2),
        ];
        if leaves {
            expected.insert(0, Effect::Send(ToBroker::Draining));
            expected.push(Effect::Send(ToBroker::Bye));
            expected.push(Effect::Close(CloseReason::Left));
        }
        assert_eq!(effects, expected);
        assert_eq!(driven.session.running(), 0);
        assert!(
            driven.input(Input::Ended(result(1, 0))).is_empty(),
            "too late"
        );
    }
}

#[test]
fn a_probe_that_is_not_answered_soon_ends_the_session() {
    let mut driven = Driven::welcomed(1);
    driven.now_us = 100 * MS;
    let ping = |number| [Effect::Send(ToBroker::Ping(number))];
    assert_eq!(driven.input(Input::Probe), ping(1));
    assert!(driven.input(Input::Probe).is_empty(), "one at a time");
    assert_eq!(driven.session.next_deadline_us(), Some(2_100 * MS));
    driven.now_us = 2_099 * MS;
    driven.input(Input::Message(ToProvider::Pong(1)));
    driven.now_us = 2_101 * MS;
    assert!(driven.input(Input::Tick).is_empty(), "it was answered");
    assert_eq!(driven.input(Input::Probe), ping(2));
    driven.now_us += 2_000 * MS;
    let effects = driven.input(Input::Tick);
    assert!(
        matches!(effects[..], [Effect::Close(CloseReason::Silent(_))]),
        "{effects:?}"
    );
}

#[test]
fn it_pings_and_gives_a_silent_broker_up() {
    let mut driven = Driven::welcomed(1);
    assert_eq!(driven.session.next_deadline_us(), Some(3_000 * MS));
    driven.now_us = 3_000 * MS;
    assert_eq!(driven.input(Input::Tick), [Effect::Send(ToBroker::Ping(1))]);
    driven.input(Input::Message(ToProvider::Pong(1)));
    driven.now_us = 18_000 * MS - 1;
    assert_eq!(
        driven.input(Input::Tick),
        [Effect::Send(ToBroker::Ping(2))],
        "still in time"
    );
    driven.now_us = 18_000 * MS;
    let effects = driven.input(Input::Tick);
    assert_eq!(effects, [Effect::Close(CloseReason::Silent(15_000))]);
    assert!(CloseReason::Silent(15_000).may_retry());
    assert_eq!(driven.session.next_deadline_us(), None);
}

#[test]
fn a_lost_connection_stops_all_guests() {
    let mut driven = Driven::welcomed(2);
    driven.assign(1);
    driven.assign(2);
    driven.have("module");
    let effects = driven.input(Input::Disconnected("gone".into()));
    assert_eq!(
        effects,
        [
            Effect::Stop(AttemptId(1)),
            Effect::Stop(AttemptId(2)),
            Effect::Close(CloseReason::Disconnected("gone".into())),
        ]
    );
}

#[test]
fn a_refusal_says_whether_to_come_again() {
    let refuse = |code| {
        CloseReason::Refused(Refuse {
            code,
            text: String::new(),
        })
    };
    for code in [RefuseCode::Ticket, RefuseCode::Full, RefuseCode::Stopping] {
        assert!(refuse(code).may_retry(), "{code:?}");
    }
    for code in [RefuseCode::Version, RefuseCode::Invalid, RefuseCode::Banned] {
        assert!(!refuse(code).may_retry(), "{code:?}");
    }
}
