//! The table: what is run, and what must come out of it.

use serde_json::{Value, json};
use wasipool_evaluation::programs;

use crate::archives;

/// One run.
pub(crate) struct Case {
    /// What a failure calls it.
    pub name: &'static str,
    /// The job, but for where and how often it runs.
    pub job: Value,
    /// How the task ends.
    pub state: &'static str,
    /// The guest's exit code.
    pub exit_code: Option<u32>,
    /// What the reason has in it.
    pub reason: &'static [&'static str],
    /// Its output.
    pub stdout: Text,
    /// Its errors.
    pub stderr: Text,
    /// The files that come back, in the order of their paths.
    pub artifacts: Vec<(&'static str, Vec<u8>)>,
}

/// What an output must be.
pub(crate) enum Text {
    /// These bytes.
    Is(Vec<u8>),
    /// Anything with this in it: the rest names lines of a source file.
    Holds(&'static str),
    /// As much as the limit allows of these bytes.
    BeginningOf(Vec<u8>),
}

/// A run that ends well.
fn good(name: &'static str, module: &str, task: Value, stdout: impl Into<Vec<u8>>) -> Case {
    let mut job = json!({ "module": module });
    job["defaults"] = task;
    Case {
        name,
        job,
        state: "succeeded",
        exit_code: Some(0),
        reason: &[],
        stdout: Text::Is(stdout.into()),
        stderr: Text::Is(Vec::new()),
        artifacts: Vec::new(),
    }
}

/// A run that ends in another way, without exit code and output.
fn bad(name: &'static str, module: &str, task: Value, state: &'static str) -> Case {
    Case {
        state,
        exit_code: None,
        ..good(name, module, task, "")
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = hello();
    cases.extend(languages());
    cases.extend(load());
    cases.extend(bulk());
    cases.extend(ends());
    cases
}

fn hello() -> Vec<Case> {
    let args_and_env = good(
        "hello with arguments and environment",
        "hello.wasm",
        json!({ "args": ["one", "zwei ü", "", "--x=\"1\""], "env": { "B": "2", "A": "1 x=y" } }),
        "hello from rust\narg[0]=hello.wasm\narg[1]=one\narg[2]=zwei ü\narg[3]=\n\
         arg[4]=--x=\"1\"\nA=1 x=y\nB=2\n",
    );
    let map = Case {
        artifacts: vec![("log", b"written by hello\n".to_vec())],
        ..good(
            "hello with files from a map",
            "hello.wasm",
            json!({
                "argv0": "me",
                "args": ["--write", "log"],
                "files": {
                    "input.txt": "from a map\n",
                    "dir/deep.bin": { "base64": "AAEC/w==" },
                    "packed": { "blob": "files.tar" },
                },
                "artifacts": ["/log", "not-there"],
            }),
            "hello from rust\narg[0]=me\narg[1]=--write\narg[2]=log\n/dir/\n/dir/deep.bin 4\n\
             /input.txt 11\n/log 17\n/packed 3584\n--- /input.txt\nfrom a map\n",
        )
    };
    let mut cases = vec![
        args_and_env,
        map,
        good("nothing", "noop.wasm", json!({}), ""),
        Case {
            stdout: Text::Holds(" checks passed\n"),
            ..good("all of WASI preview 1", "conformance.wasm", json!({}), "")
        },
    ];
    for (name, archive) in [
        ("hello with files from a zip", "files.zip"),
        ("hello with files from a tar", "files.tar"),
        ("hello with files from a gzipped tar", "files.tar.gz"),
    ] {
        let stdout = format!("hello from rust\narg[0]=hello.wasm\n{}", archives::LISTED);
        cases.push(good(
            name,
            "hello.wasm",
            json!({ "files": archive }),
            stdout,
        ));
    }
    cases
}

/// The same guest in every language: all that a guest can see, and an error.
fn languages() -> Vec<Case> {
    let mut languages = vec![
        ("hello from rust\n", "hello.wasm"),
        ("hello from c\n", "hello-c.wasm"),
        ("hello from wat\n", "hello-wat.wasm"),
    ];
    if programs::has_guest("hello-go") {
        languages.push(("hello from go\n", "hello-go.wasm"));
    }
    let mut cases = Vec::new();
    for (first, module) in languages {
        let task = json!({
            "argv0": "me",
            "args": ["", "--write", "/d/log", "\u{fc}"],
            "env": { "Z": "26", "A-B": "x y", "A": "1=1", "FILE": "/d/log" },
            "files": { "d/log": "first\n", "d/e/.f": "ff", "d.txt": "", "input.txt": "unused" },
            "stdin": "one line\nand a half",
            "artifacts": ["**/log"],
        });
        let seen = "arg[0]=me\narg[1]=\narg[2]=--write\narg[3]=/d/log\narg[4]=\u{fc}\n\
                    A=1=1\nA-B=x y\nFILE=/d/log\nZ=26\n\
                    /d/\n/d/e/\n/d/e/.f 2\n/d/log 23\n/d.txt 0\n/input.txt 6\n\
                    --- /d/log\nfirst\nwritten by hello\n--- stdin\none line\nand a half";
        cases.push(Case {
            artifacts: vec![("d/log", b"first\nwritten by hello\n".to_vec())],
            ..good(module, module, task, [first, seen].concat())
        });
        cases.push(good(
            module,
            module,
            json!({ "argv0": "me", "files": { "input.txt": "" } }),
            [first, "arg[0]=me\n/input.txt 0\n--- /input.txt\n"].concat(),
        ));
        cases.push(Case {
            exit_code: Some(1),
            stdout: Text::Is([first, "arg[0]=me\nFILE=/no\n"].concat().into_bytes()),
            stderr: Text::Holds("/no: "),
            ..bad(
                module,
                module,
                json!({ "argv0": "me", "env": { "FILE": "/no" } }),
                "failed",
            )
        });
    }
    cases
}

fn load() -> Vec<Case> {
    const CITIES: &str = "name,x,y\nc0,374.487,955.804\nc1,609.346,472.203\nc2,723.674,548.305\n\
                          c3,871.798,389.182\nc4,77.985,504.425\nc5,271.083,105.516\n";
    // 16 random bytes of the seed, then the clocks: 0 and 1,000 nanoseconds.
    let dice = [
        DICE_OF_SEED_7.as_slice(),
        &0_u64.to_le_bytes(),
        &1_000_u64.to_le_bytes(),
    ];
    let mut deterministic = good("a deterministic job", "dice", json!({}), dice.concat());
    deterministic.job["deterministic"] = json!({ "seed": 7 });
    vec![
        good(
            "tsp of a seed",
            "tsp.wasm",
            json!({ "args": ["rand", "7", "--seed", "42"] }),
            "seed 42\ncities 7\nlength 3017.160\ntour c0 c4 c3 c2 c1 c5 c6 c0\n",
        ),
        good(
            "tsp of stdin",
            "tsp.wasm",
            json!({ "args": ["read"], "stdin": CITIES }),
            "cities 6\nlength 2511.430\ntour c0 c2 c3 c1 c5 c4 c0\n",
        ),
        deterministic,
    ]
}

/// The generator's first bytes, worked out apart from the programs.
const DICE_OF_SEED_7: [u8; 16] = [
    0x45, 0xce, 0xab, 0x7e, 0x97, 0xc2, 0xb4, 0xb8, 0xfe, 0xc8, 0x8e, 0x33, 0xfd, 0x05, 0x53, 0xa6,
];

fn bulk() -> Vec<Case> {
    let line = "0123456789 abcdefghijklmnopqrstuvwxyz\n";
    let large = line.repeat(300 * 1024 / line.len());
    let binary: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
    let text: String = (1..=10)
        .map(|i| {
            if i == 1 {
                "line A\n".to_owned()
            } else {
                format!("line {i}\n")
            }
        })
        .collect();
    let files = Case {
        artifacts: vec![("out/a.txt", text.into_bytes()), ("out/b.bin", binary)],
        ..good(
            "work on files",
            "files.wasm",
            json!({ "artifacts": ["out/*"] }),
            "/tmp: deep three.txt\n/tmp: first.txt three.txt\na.txt begins with Some(\"line A\")\n\
             b.bin has 100000 bytes\n/out: a.txt b.bin\n",
        )
    };
    vec![
        good(
            "a little through cat",
            "cat.wasm",
            json!({ "stdin": "abc\n" }),
            "abc\n",
        ),
        good(
            "bytes that are no text through cat",
            "cat.wasm",
            json!({ "stdin": { "base64": "AP+AYQ==" } }),
            [0, 0xff, 0x80, b'a'],
        ),
        good("nothing through cat", "cat.wasm", json!({}), ""),
        good(
            "300 KB through cat",
            "cat.wasm",
            json!({ "stdin": large }),
            large.clone(),
        ),
        good(
            "a blob through cat",
            "cat.wasm",
            json!({ "stdin": { "blob": "files.tar" } }),
            archives::all().expect("archives can be made")[1].1.clone(),
        ),
        files,
    ]
}

fn ends() -> Vec<Case> {
    let dots = [".".repeat(63), "\n".to_owned()].concat();
    vec![
        Case {
            exit_code: Some(3),
            stdout: Text::Is(b"going\n".to_vec()),
            stderr: Text::Is(b"exit with 3\n".to_vec()),
            ..bad(
                "exit code 3",
                "exit.wasm",
                json!({ "args": ["3"] }),
                "failed",
            )
        },
        Case {
            reason: &[
                "unreachable instruction executed",
                "innermost",
                "middle",
                "main",
            ],
            ..bad("a trap", "trap.wasm", json!({}), "trapped")
        },
        bad(
            "no end",
            "spin.wasm",
            json!({ "timeout": "300ms" }),
            "timed_out",
        ),
        Case {
            stderr: Text::Holds("no more memory after"),
            ..bad(
                "too much memory",
                "hog.wasm",
                json!({ "memory": "32MiB" }),
                "out_of_memory",
            )
        },
        good(
            "memory within the limit",
            "hog.wasm",
            json!({ "args": ["24"], "memory": "32MiB" }),
            "24 MiB\n",
        ),
        Case {
            stdout: Text::BeginningOf(dots.repeat(1024).into_bytes()),
            ..bad(
                "too much output",
                "flood.wasm",
                json!({ "output": "64KiB" }),
                "output_exceeded",
            )
        },
        good(
            "output up to the limit",
            "flood.wasm",
            json!({ "args": ["65536"], "output": "64KiB" }),
            dots.repeat(1024),
        ),
    ]
}
