//! What becomes of guests: every outcome, with the real guests of `wasi-apps`
//! and with small ones for what no real one does.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{Bench, guest, spec};
use wasipool_provider::sandbox::{Job, NoResult, Stop};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::MIB;
use wasipool_shared::task::{BlobRef, Exceeded, Fault, Files, Outcome, Payload, trap};

#[test]
fn a_guest_sees_its_arguments_environment_and_files_and_nothing_else() {
    let mut spec = spec(&["hello", "one", "two words"]);
    spec.env = vec![("A".into(), "1".into()), ("B".into(), "zwei".into())];
    spec.files = Files::Map(vec![
        ("input.txt".into(), Payload::Inline("from outside\n".into())),
        ("deep/er.bin".into(), Payload::Inline("abc".into())),
    ]);
    let mut bench = Bench::new();
    let result = bench.run(&Job::new(guest("hello"), spec.clone()));
    let expected = "hello from rust\narg[0]=hello\narg[1]=one\narg[2]=two words\nA=1\nB=zwei\n\
                    /deep/\n/deep/er.bin 3\n/input.txt 13\n--- /input.txt\nfrom outside\n";
    assert_eq!(String::from_utf8_lossy(&result.stdout), expected);
    assert_eq!(result.outcome, Outcome::Exited(0));

    // The next guest of the same runner finds nothing of it.
    spec.files = Files::None;
    let result = bench.run(&Job::new(guest("hello"), spec));
    let text = String::from_utf8_lossy(&result.stdout).into_owned();
    assert!(
        !text.contains("input.txt") && !text.contains("deep"),
        "{text}"
    );
}

#[test]
fn a_guest_that_checks_all_of_wasi_finds_nothing() {
    let result = Bench::new().run(&Job::new(guest("conformance"), spec(&["conformance"])));
    let stderr = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.outcome, Outcome::Exited(0), "{stderr}");
}

#[test]
fn guests_of_other_languages_run() {
    let mut bench = Bench::new();
    let result = bench.run(&Job::new(guest("hello-c"), spec(&["hello-c", "x"])));
    assert_eq!(result.stdout, "hello from c\narg[0]=hello-c\narg[1]=x\n");
    let result = bench.run(&Job::new(guest("hello-wat"), spec(&["hello-wat"])));
    assert_eq!(result.stdout, "hello from wat\narg[0]=hello-wat\n");
    let result = bench.run(&Job::new(guest("noop"), spec(&["noop"])));
    assert_eq!(
        (result.outcome, result.stdout.len()),
        (Outcome::Exited(0), 0)
    );
    let result = bench.run(&Job::new(guest("tsp"), spec(&["tsp", "rand", "6"])));
    assert_eq!(result.outcome, Outcome::Exited(0), "{result:?}");
    assert!(!result.stdout.is_empty());
}

#[test]
fn exit_codes_come_back_whatever_they_are() {
    let mut bench = Bench::new();
    let result = bench.run(&Job::new(guest("exit"), spec(&["exit", "3"])));
    assert_eq!(result.outcome, Outcome::Exited(3));
    assert_eq!(
        (&result.stdout[..], &result.stderr[..]),
        (&b"going\n"[..], &b"exit with 3\n"[..])
    );
    for code in [0_u32, 1, 125, 126, 255, 256, u32::MAX] {
        let result = bench.run_wat(&format!(
            r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
               (memory (export "memory") 1)
               (func (export "_start") (call $exit (i32.const {})) unreachable)"#,
            code.cast_signed()
        ));
        assert_eq!(result.outcome, Outcome::Exited(code));
    }
}

#[test]
fn stdin_comes_inline_or_as_a_blob_and_large() {
    let mut bench = Bench::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut spec = spec(&["cat"]);
    let digest = Digest::of(&bytes);
    spec.stdin = Payload::Blob(BlobRef {
        digest,
        size: bytes.len() as u64,
    });
    let mut job = Job::new(guest("cat"), spec.clone());
    job.blobs.insert(digest, bytes.clone().into());
    assert_eq!(bench.run(&job).stdout, bytes);

    job.blobs.clear();
    let failed = bench.try_run(&job, &Arc::default()).unwrap_err();
    assert!(
        matches!(failed, NoResult::Failed(Fault::Internal(_))),
        "{failed:?}"
    );

    spec.stdin = Payload::Inline("short".into());
    assert_eq!(bench.run(&Job::new(guest("cat"), spec)).stdout, "short");
}

#[test]
fn each_trap_has_its_word() {
    let mut bench = Bench::new();
    let bodies = [
        ("unreachable", trap::UNREACHABLE),
        ("(drop (i32.load (i32.const -1)))", trap::MEMORY),
        ("(drop (table.get $t (i32.const 9)))", trap::TABLE),
        ("(call_indirect (type $v) (i32.const 9))", trap::TABLE),
        (
            "(call_indirect (type $v) (i32.const 1))",
            trap::INDIRECT_CALL,
        ),
        (
            "(call_indirect (type $v) (i32.const 0))",
            trap::INDIRECT_CALL,
        ),
        (
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            trap::DIVIDE,
        ),
        (
            "(drop (i64.rem_s (i64.const 1) (i64.const 0)))",
            trap::DIVIDE,
        ),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
            trap::OVERFLOW,
        ),
        ("(drop (i32.trunc_f64_s (f64.const nan)))", trap::CONVERSION),
        (
            "(drop (i32.trunc_f32_u (f32.const 1e30)))",
            trap::CONVERSION,
        ),
        (
            "(drop (i64.trunc_f64_s (f64.const 1e30)))",
            trap::CONVERSION,
        ),
        ("(call $deep)", trap::STACK),
        ("(throw $tag)", trap::EXCEPTION),
    ];
    for (body, word) in bodies {
        let result = bench.run_wat(&format!(
            r#"(type $v (func)) (tag $tag) (memory 1) (table $t 2 funcref) (elem (i32.const 0) $other)
               (func $other (param i32)) (func $deep (call $deep))
               (func $start (export "_start") {body})"#
        ));
        let Outcome::Trapped { reason } = result.outcome else {
            panic!("{body}: {result:?}")
        };
        assert_eq!(reason.lines().next(), Some(word), "{body}");
    }
}

#[test]
fn a_trap_names_the_functions_that_led_to_it() {
    let result = Bench::new().run(&Job::new(guest("trap"), spec(&["trap"])));
    let reason = format!(
        "{}\n  at innermost\n  at middle\n  at main",
        trap::UNREACHABLE
    );
    assert_eq!(result.outcome, Outcome::Trapped { reason });

    let nameless = "(func (export \"_start\") unreachable)";
    let result = Bench::new().run_wat(nameless);
    assert_eq!(
        result.outcome,
        Outcome::Trapped {
            reason: trap::UNREACHABLE.into()
        }
    );
}

#[test]
fn an_endless_loop_ends_at_its_time_limit() {
    let mut spec = spec(&["spin"]);
    spec.limits.timeout_ms = 50;
    let started = Instant::now();
    let result = Bench::new().run(&Job::new(guest("spin"), spec));
    assert_eq!(result.outcome, Outcome::TimedOut);
    assert!(result.run_us >= 50_000, "{}", result.run_us);
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Sleeps for an hour by the monotonic clock, then writes what `poll_oneoff`
/// gave and how many events to stdout.
const SLEEPER: &str = r#"
    (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i64.store (i32.const 0) (i64.const 77))
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 3600000000000))
        (i32.store (i32.const 300)
            (call $poll (i32.const 0) (i32.const 104) (i32.const 1) (i32.const 304)))
        (i32.store (i32.const 200) (i32.const 300))
        (i32.store (i32.const 204) (i32.const 8))
        (drop (call $write (i32.const 1) (i32.const 200) (i32.const 1) (i32.const 208))))"#;

#[test]
fn a_sleeping_guest_ends_at_its_time_limit() {
    let mut spec = spec(&["sleep"]);
    spec.limits.timeout_ms = 30;
    let result = Bench::new().run(&Job::new(support::module(SLEEPER), spec));
    assert_eq!(result.outcome, Outcome::TimedOut);
}

#[test]
fn a_seeded_guest_sleeps_in_no_time() {
    let mut spec = spec(&["sleep"]);
    spec.seed = Some(1);
    let result = Bench::new().run(&Job::new(support::module(SLEEPER), spec));
    assert_eq!(
        result.stdout,
        [0, 0, 0, 0, 1, 0, 0, 0][..],
        "success, one event"
    );
}

#[test]
fn a_run_can_be_stopped_wherever_the_guest_is() {
    let mut bench = Bench::new();
    for wasm in [guest("spin"), support::module(SLEEPER)] {
        let job = Job::new(wasm, spec(&["stopped"]));
        let stop = Arc::new(Stop::default());
        std::thread::scope(|scope| {
            let run = scope.spawn(|| bench.try_run(&job, &stop));
            // Whether it has started by now or not: it ends.
            stop.stop();
            assert_eq!(run.join().unwrap(), Err(NoResult::Stopped));
        });
    }
}

#[test]
fn memory_is_limited_and_who_ends_because_of_it_is_out_of_memory() {
    let mut bench = Bench::new();
    let mut spec = spec(&["hog"]);
    spec.limits.memory_bytes = 24 * MIB;
    let result = bench.run(&Job::new(guest("hog"), spec.clone()));
    assert_eq!(result.outcome, Outcome::OutOfMemory);
    spec.args.push("8".into());
    let result = bench.run(&Job::new(guest("hog"), spec.clone()));
    assert_eq!(
        (result.outcome, &result.stdout[..]),
        (Outcome::Exited(0), &b"8 MiB\n"[..])
    );

    // More from the start than it may have.
    let job = Job::new(
        support::module(r#"(memory 385) (func (export "_start"))"#),
        spec.clone(),
    );
    assert_eq!(bench.run(&job).outcome, Outcome::OutOfMemory);
    // Exactly as much as it may have, and a request for more that it survives.
    let body = r#"(memory 384) (func (export "_start") (drop (memory.grow (i32.const 1))))"#;
    assert_eq!(
        bench
            .run(&Job::new(support::module(body), spec.clone()))
            .outcome,
        Outcome::Exited(0)
    );
    // Two memories count together.
    let body = r#"(memory 200) (memory 200) (func (export "_start"))"#;
    assert_eq!(
        bench
            .run(&Job::new(support::module(body), spec.clone()))
            .outcome,
        Outcome::OutOfMemory
    );
    // The module's own maximum is no limit of ours.
    let body =
        r#"(memory 1 2) (func (export "_start") (drop (memory.grow (i32.const 9))) unreachable)"#;
    let outcome = bench.run(&Job::new(support::module(body), spec)).outcome;
    assert!(matches!(outcome, Outcome::Trapped { .. }), "{outcome:?}");
}

#[test]
fn output_is_limited_to_the_byte() {
    let mut bench = Bench::new();
    let mut spec = spec(&["flood", "100000"]);
    for (limit, outcome) in [
        (100_000, Outcome::Exited(0)),
        (
            99_999,
            Outcome::OutputExceeded {
                what: Exceeded::Stdout,
            },
        ),
        (
            1,
            Outcome::OutputExceeded {
                what: Exceeded::Stdout,
            },
        ),
        (
            0,
            Outcome::OutputExceeded {
                what: Exceeded::Stdout,
            },
        ),
    ] {
        spec.limits.output_bytes = limit;
        let result = bench.run(&Job::new(guest("flood"), spec.clone()));
        assert_eq!(
            (result.outcome, result.stdout.len() as u64),
            (outcome, limit)
        );
    }
    spec.args.pop();
    spec.limits.output_bytes = 300_000;
    let result = bench.run(&Job::new(guest("flood"), spec.clone()));
    assert_eq!(result.stdout.len(), 300_000);

    spec.limits.output_bytes = 11;
    spec.args = vec!["exit".into(), "0".into()];
    let result = bench.run(&Job::new(guest("exit"), spec));
    assert_eq!(
        result.outcome,
        Outcome::OutputExceeded {
            what: Exceeded::Stderr
        }
    );
    assert_eq!(
        (&result.stdout[..], &result.stderr[..]),
        (&b"going\n"[..], &b"exit with 0"[..])
    );
}

#[test]
fn who_is_no_command_is_the_providers_fault() {
    let mut bench = Bench::new();
    let mut failed = |wasm: Vec<u8>| {
        let job = Job::new(wasm, spec(&["x"]));
        match bench.try_run(&job, &Arc::default()) {
            Err(NoResult::Failed(Fault::Module(reason))) => reason,
            other => panic!("{other:?}"),
        }
    };
    failed(b"not wasm".to_vec());
    assert!(failed(support::module("(func)")).contains("_start"));
    let import = r#"(import "env" "missing" (func)) (func (export "_start"))"#;
    assert!(failed(support::module(import)).contains("missing"));
}

#[test]
fn runs_of_all_runners_go_on_at_the_same_time() {
    let shared = Bench::new();
    let job = Job::new(guest("work"), spec(&["work", "1"]));
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| shared.another().run(&job).stdout))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(
        outputs
            .iter()
            .all(|output| *output == outputs[0] && output.len() == 17)
    );
    assert_eq!(shared.compiled(), 1, "one compilation for all");
}
