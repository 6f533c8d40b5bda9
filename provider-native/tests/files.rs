//! A guest's private files: what it is given, what comes back, what stays.

mod support;

use support::{Bench, guest, module, spec};
use wasipool_provider::sandbox::{Job, NoResult};
use wasipool_shared::digest::Digest;
use wasipool_shared::limits::ARTIFACTS_MAX;
use wasipool_shared::task::{BlobRef, Exceeded, Fault, Files, Outcome, Payload, TaskSpec};

#[test]
fn a_guest_works_on_its_files_and_leaves_artifacts() {
    let mut spec = spec(&["files"]);
    spec.artifacts = vec!["/out/*".into()];
    let mut bench = Bench::new();
    let result = bench.run(&Job::new(guest("files"), spec.clone()));
    assert_eq!(result.outcome, Outcome::Exited(0), "{result:?}");
    let paths: Vec<_> = result
        .artifacts
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(paths, ["out/a.txt", "out/b.bin"]);
    assert!(result.artifacts[0].1.starts_with(b"line A\nline 2\n"));
    assert_eq!(result.artifacts[1].1.len(), 100_000);

    // Room to the byte, and one byte less.
    let size = result
        .artifacts
        .iter()
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    spec.limits.artifact_bytes = size;
    let again = bench.run(&Job::new(guest("files"), spec.clone()));
    assert_eq!(
        (again.outcome, again.artifacts),
        (result.outcome, result.artifacts)
    );
    spec.limits.artifact_bytes = size - 1;
    let result = bench.run(&Job::new(guest("files"), spec));
    assert_eq!(
        result.outcome,
        Outcome::OutputExceeded {
            what: Exceeded::Artifacts
        }
    );
    assert!(result.artifacts.is_empty());
}

#[test]
fn nothing_of_a_guest_stays() {
    let mut bench = Bench::new();
    let mut writes = spec(&["hello", "--write", "left.txt"]);
    writes.artifacts = vec!["left.txt".into()];
    for _ in 0..2 {
        let result = bench.run(&Job::new(guest("hello"), writes.clone()));
        assert_eq!(
            result.artifacts,
            [("left.txt".to_owned(), "written by hello\n".into())]
        );
    }
}

/// A tar archive of one file.
fn archive(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

fn with_archive(bytes: Vec<u8>) -> Job {
    let mut spec = spec(&["hello"]);
    let digest = Digest::of(&bytes);
    spec.files = Files::Archive(BlobRef {
        digest,
        size: bytes.len() as u64,
    });
    let mut job = Job::new(guest("hello"), spec);
    job.blobs.insert(digest, bytes.into());
    job
}

#[test]
fn an_archive_becomes_the_root() {
    let mut bench = Bench::new();
    let job = with_archive(archive("a/b/input.txt", b"packed"));
    for _ in 0..2 {
        let result = bench.run(&job);
        let text = String::from_utf8_lossy(&result.stdout).into_owned();
        assert!(text.ends_with("/a/\n/a/b/\n/a/b/input.txt 6\n"), "{text}");
    }
    for bytes in [archive("../escape", b"x"), b"no archive".to_vec()] {
        let failed = bench
            .try_run(&with_archive(bytes), &Default::default())
            .unwrap_err();
        assert!(
            matches!(failed, NoResult::Failed(Fault::Files(_))),
            "{failed:?}"
        );
    }
    let mut spec = spec(&["hello"]);
    spec.files = Files::Map(vec![("../escape".into(), Payload::EMPTY)]);
    let failed = bench
        .try_run(&Job::new(guest("hello"), spec), &Default::default())
        .unwrap_err();
    assert!(
        matches!(failed, NoResult::Failed(Fault::Files(_))),
        "{failed:?}"
    );
}

/// Calls that make files, by WASI's numbers; all below descriptor 3.
const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "path_open" (func $open
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_symlink" (func $symlink
        (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $readdir
        (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite
        (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write
        (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 40)
    (func $create (param $name i32)
        (if (call $open (i32.const 3) (i32.const 0) (local.get $name) (i32.const 1)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0))
            (then (call $exit (i32.const 99))))
        (drop (call $close (i32.load (i32.const 0)))))"#;

fn with_imports(fields: &str) -> Vec<u8> {
    module(&format!("{IMPORTS} {fields}"))
}

#[test]
fn a_folder_is_listed_in_the_order_of_names() {
    let wasm = with_imports(
        r#"(data (i32.const 100) "cabd")
           (func (export "_start")
               (call $create (i32.const 100)) (call $create (i32.const 101))
               (call $create (i32.const 102)) (call $create (i32.const 103))
               (drop (call $readdir (i32.const 3) (i32.const 1000) (i32.const 4096)
                   (i64.const 2) (i32.const 4)))
               (i32.store (i32.const 8) (i32.const 1000))
               (i32.store (i32.const 12) (i32.load (i32.const 4)))
               (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))))"#,
    );
    let result = Bench::new().run(&Job::new(wasm, spec(&["list"])));
    let names: Vec<_> = result.stdout.chunks(25).map(|entry| entry[24]).collect();
    assert_eq!(names, b"abcd");
}

#[test]
fn links_are_neither_followed_nor_brought_back() {
    let wasm = with_imports(
        r#"(data (i32.const 100) "x") (data (i32.const 200) "../../../../../../etc/passwd")
           (data (i32.const 300) "f")
           (func (export "_start")
               (call $create (i32.const 300))
               (drop (call $symlink (i32.const 200) (i32.const 28)
                   (i32.const 3) (i32.const 100) (i32.const 1)))
               ;; Opening it for reading has to fail.
               (call $exit (call $open (i32.const 3) (i32.const 1) (i32.const 100) (i32.const 1)
                   (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))))"#,
    );
    let mut spec = spec(&["link"]);
    spec.artifacts = vec!["**".into()];
    let mut bench = Bench::new();
    let result = bench.run(&Job::new(wasm, spec));
    assert!(
        matches!(result.outcome, Outcome::Exited(code) if code != 0),
        "{result:?}"
    );
    let paths: Vec<_> = result
        .artifacts
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(paths, ["f"]);
}

#[test]
fn files_cannot_fill_the_disk() {
    // Writes 2 MiB at offsets that grow, until there is no room: in the end
    // exits with what the call gave.
    let wasm = with_imports(
        r#"(data (i32.const 100) "x")
           (func (export "_start") (local $at i64) (local $error i32)
               (drop (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 1)
                   (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
               (i32.store (i32.const 8) (i32.const 65536))
               (i32.store (i32.const 12) (i32.const 2097152))
               (loop $again
                   (local.set $error (call $pwrite (i32.load (i32.const 0)) (i32.const 8)
                       (i32.const 1) (local.get $at) (i32.const 16)))
                   (local.set $at (i64.add (local.get $at) (i64.const 2097152)))
                   (br_if $again (i32.and
                       (i32.eqz (local.get $error))
                       (i64.lt_u (local.get $at) (i64.const 0x100000000)))))
               (call $exit (local.get $error)))"#,
    );
    let mut bench = Bench::new();
    for _ in 0..2 {
        let result = bench.run(&Job::new(wasm.clone(), spec(&["fill"])));
        assert_eq!(result.outcome, Outcome::Exited(51), "ENOSPC");
    }
}

#[test]
fn files_of_all_guests_together_are_the_providers_affair() {
    let mut bench = Bench::with_files(50_000);
    let job = Job::new(guest("files"), spec(&["files"]));
    let failed = bench.try_run(&job, &Default::default()).unwrap_err();
    assert!(
        matches!(&failed, NoResult::Failed(Fault::Internal(reason)) if reason.contains("memory")),
        "{failed:?}"
    );
    // What it had is free again.
    let job = Job::new(guest("hello"), spec(&["hello", "--write", "small.txt"]));
    assert_eq!(bench.run(&job).outcome, Outcome::Exited(0));
    let mut large = spec(&["hello"]);
    large.files = Files::Map(vec![("f".into(), Payload::Inline(vec![0; 60_000].into()))]);
    let failed = bench.try_run(&Job::new(guest("hello"), large), &Default::default());
    assert!(
        matches!(failed, Err(NoResult::Failed(Fault::Internal(_)))),
        "{failed:?}"
    );
}

#[test]
fn a_seed_gives_equal_bytes_and_another_index_others() {
    // Writes 64 random bytes, both clocks twice.
    let wasm = module(
        r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
           (import "wasi_snapshot_preview1" "clock_time_get" (func $clock
               (param i32 i64 i32) (result i32)))
           (import "wasi_snapshot_preview1" "fd_write" (func $write
               (param i32 i32 i32 i32) (result i32)))
           (memory (export "memory") 1)
           (func (export "_start")
               (drop (call $random (i32.const 1000) (i32.const 64)))
               (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 1064)))
               (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 1072)))
               (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 1080)))
               (i32.store (i32.const 0) (i32.const 1000))
               (i32.store (i32.const 4) (i32.const 88))
               (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#,
    );
    let mut bench = Bench::new();
    let mut output = |seed, index| {
        let spec = TaskSpec {
            seed,
            ..spec(&["random"])
        };
        let job = Job {
            index,
            ..Job::new(wasm.clone(), spec)
        };
        bench.run(&job).stdout
    };
    let seeded = output(Some(7), 3);
    assert_eq!(seeded, output(Some(7), 3));
    assert_ne!(seeded, output(Some(7), 4));
    assert_ne!(seeded, output(Some(8), 3));
    assert_ne!(output(None, 3), output(None, 3));

    let mut expected = vec![0; 64];
    wasipool_shared::deterministic::Random::new(7, 3).fill(&mut expected);
    for reading in [0_u64, 1_000, 2_000] {
        expected.extend(reading.to_le_bytes());
    }
    assert_eq!(seeded, expected);
}

#[test]
fn too_many_artifacts_are_too_much() {
    let count = ARTIFACTS_MAX + 1;
    let files = |count| {
        (0..count)
            .map(|n| (format!("f{n:05}"), Payload::EMPTY))
            .collect()
    };
    let mut bench = Bench::new();
    let mut spec = spec(&["noop"]);
    spec.artifacts = vec!["f*".into()];
    spec.files = Files::Map(files(count));
    let result = bench.run(&Job::new(guest("noop"), spec.clone()));
    assert_eq!(
        result.outcome,
        Outcome::OutputExceeded {
            what: Exceeded::Artifacts
        }
    );
    spec.files = Files::Map(files(count - 1));
    let result = bench.run(&Job::new(guest("noop"), spec));
    assert_eq!(
        (result.outcome, result.artifacts.len()),
        (Outcome::Exited(0), count - 1)
    );
    assert!(result.artifacts.is_sorted());
}
