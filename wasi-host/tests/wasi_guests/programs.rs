//! Real programs, as compilers make them.

use std::path::Path;

use bytes::Bytes;
use wasipool_wasi::fs::FileEntry;
use wasipool_wasi::types::Stream;
use wasipool_wasi::{Config, Halt};

use crate::support::{End, Run, config, run};

fn guest(name: &str, config: Config) -> Run {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/guests")
        .join(name)
        .with_extension("wasm");
    let Ok(module) = std::fs::read(&path) else {
        panic!("{} is missing: run `make guests`", path.display());
    };
    run(&module, config)
}

fn text(path: &str, text: &'static str) -> (String, FileEntry) {
    (
        path.into(),
        FileEntry::File(Bytes::from_static(text.as_bytes())),
    )
}

#[test]
fn hello_in_three_languages() {
    for (name, first) in [
        ("hello", "hello from rust\n"),
        ("hello-c", "hello from c\n"),
        ("hello-wat", "hello from wat\n"),
    ] {
        let mut env = vec![("B".into(), "2".into()), ("A".into(), "1=1".into())];
        // Those that have a library sort it; the other prints it as it is given.
        if name == "hello-wat" {
            env.reverse();
        }
        let config = Config {
            env,
            files: vec![text("input.txt", "the input\n"), text("d/e.txt", "")],
            ..config(&["hello", "caf\u{e9}", ""])
        };
        let run = guest(name, config);
        assert_eq!(run.end, End::Returned, "{}", run.stderr());
        let stdout = run.stdout();
        assert!(stdout.starts_with(first), "{stdout}");
        let arguments = "arg[0]=hello\narg[1]=caf\u{e9}\narg[2]=\nA=1=1\nB=2\n";
        assert!(stdout.contains(arguments), "{stdout}");
        assert!(stdout.contains("--- /input.txt\nthe input\n"), "{stdout}");
    }
}

#[test]
fn hello_writes_a_file() {
    let mut run = guest("hello", config(&["hello", "--write", "note.txt"]));
    assert_eq!(run.end, End::Returned, "{}", run.stderr());
    assert!(run.stdout().contains("note.txt"));
    let files = run.outputs.fs.collect_files(|_, _| true);
    assert_eq!(files, [("note.txt".into(), "written by hello\n".into())]);
}

#[test]
fn cat_copies_every_byte() {
    let input: Vec<u8> = (0..3_000_001u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let config = Config {
        stdin: input.clone().into(),
        ..config(&["cat"])
    };
    let run = guest("cat", config);
    assert_eq!(run.end, End::Returned);
    assert!(run.outputs.stdout == input);
}

#[test]
fn tsp_reads_its_own_cities() {
    let written = guest("tsp", config(&["tsp", "write", "7", "--seed", "1"]));
    assert_eq!(written.end, End::Returned, "{}", written.stderr());
    assert!(written.stdout().lines().count() >= 7);
    let config = Config {
        stdin: written.outputs.stdout,
        ..config(&["tsp", "read"])
    };
    let found = guest("tsp", config.clone());
    assert_eq!(found.end, End::Returned, "{}", found.stderr());
    assert!(!found.stdout().is_empty());
    assert_eq!(guest("tsp", config).stdout(), found.stdout());
}

#[test]
fn tsp_fails_without_arguments() {
    let run = guest("tsp", config(&["tsp"]));
    assert_eq!(run.end, End::Halted(Halt::Exit(2)));
    assert!(run.stderr().contains("usage"));
}

#[test]
fn files_works_on_its_root() {
    let mut run = guest("files", config(&["files"]));
    assert_eq!(run.end, End::Returned, "{}", run.stderr());
    let expected = "/tmp: deep three.txt\n\
                    /tmp: first.txt three.txt\n\
                    a.txt begins with Some(\"line A\")\n\
                    b.bin has 100000 bytes\n\
                    /out: a.txt b.bin\n";
    assert_eq!(run.stdout(), expected);
    let files = run.outputs.fs.collect_files(|_, _| true);
    let found: Vec<_> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.len()))
        .collect();
    assert_eq!(found, [("out/a.txt", 71), ("out/b.bin", 100_000)]);
}

#[test]
fn conformance_finds_nothing() {
    let run = guest("conformance", config(&["conformance"]));
    assert_eq!(run.end, End::Returned, "{}", run.stderr());
    assert!(run.stdout().ends_with(" checks passed\n"));
}

#[test]
fn exit_ends_with_its_code() {
    assert_eq!(guest("exit", config(&["exit"])).end, End::Returned);
    let run = guest("exit", config(&["exit", "3"]));
    assert_eq!(run.end, End::Halted(Halt::Exit(3)));
    assert_eq!((run.stdout(), run.stderr()), ("going\n", "exit with 3\n"));
}

#[test]
fn flood_stops_at_the_limit() {
    let limited = Config {
        output_limit: 1_000_001,
        ..config(&["flood"])
    };
    let run = guest("flood", limited);
    let exceeded = Halt::OutputExceeded(Stream::Stdout);
    assert_eq!(run.end, End::Halted(exceeded));
    assert_eq!(run.outputs.stdout.len(), 1_000_001);
    let exact = Config {
        output_limit: 1_000_000,
        ..config(&["flood", "1000000"])
    };
    let run = guest("flood", exact);
    assert_eq!(run.end, End::Returned);
    assert_eq!(run.outputs.stdout.len(), 1_000_000);
}

#[test]
fn noop_and_trap_need_no_host() {
    assert_eq!(guest("noop", config(&[])).end, End::Returned);
    let End::Trapped(reason) = guest("trap", config(&[])).end else {
        panic!("it traps");
    };
    assert!(reason.contains("unreachable"), "{reason}");
}
