//! `wasipool-wasi-testsuite` on a small suite: what passes, what fails, what is
//! refused.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;

const HELLO: &str = "hello from rust\narg[0]=hello\narg[1]=one\narg[2]=/\nA=1\n/data/\n/data/in.txt 3\n\
                     /empty/\n/in.txt 3\n";

/// Traps if two readings of the monotonic clock are equal, however coarse it is.
const CLOCK: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $time (param i32 i64 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (local $last i64) (local $left i32)
        (local.set $last (i64.const -1))
        (local.set $left (i32.const 1000))
        (loop $again
            (if (call $time (i32.const 1) (i64.const 0) (i32.const 0)) (then unreachable))
            (if (i64.le_s (i64.load (i32.const 0)) (local.get $last)) (then unreachable))
            (local.set $last (i64.load (i32.const 0)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))))"#;

/// Tests that must pass, with all that a description may hold.
fn good(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("data"))?;
    fs::write(folder.join("data/in.txt"), "in\n")?;
    fs::create_dir_all(folder.join("root/empty"))?;
    let guest = |name: &str| programs::guest(name);
    fs::write(folder.join("hello.wasm"), guest("hello")?)?;
    let hello = serde_json::json!({
        "args": ["one", "data"],
        "env": { "A": "1" },
        "dirs": ["data"],
        "root": "root",
        "stdout": HELLO,
    });
    fs::write(folder.join("hello.json"), hello.to_string())?;
    fs::write(folder.join("steps.wasm"), guest("cat")?)?;
    let steps = r#"{ "operations": [
        { "type": "run" },
        { "type": "write", "payload": "through" },
        { "type": "read", "id": "stdout", "payload": "through" },
        { "type": "wait", "exit_code": 0 }
    ] }"#;
    fs::write(folder.join("steps.json"), steps)?;
    fs::write(folder.join("conformance.wasm"), guest("conformance")?)?;
    let exit = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 200))))"#;
    fs::write(folder.join("clock.wat"), CLOCK)?;
    fs::create_dir_all(folder.join("deep"))?;
    fs::write(folder.join("deep/exit.wat"), exit)?;
    fs::write(folder.join("deep/exit.json"), r#"{ "exit_code": 200 }"#)?;
    Ok(())
}

/// Tests that can't pass.
fn bad(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let module = |body: &str| format!("(module {body} (func (export \"_start\") unreachable))");
    fs::write(folder.join("trap.wat"), module(""))?;
    let alien = module("(import \"wasi:cli\" \"run\" (func))");
    fs::write(folder.join("alien.wat"), alien)?;
    fs::write(folder.join("cat.wasm"), programs::guest("cat")?)?;
    fs::write(
        folder.join("cat.json"),
        r#"{ "stdout": "x", "exit_code": 9 }"#,
    )?;
    fs::write(folder.join("net.wat"), module(""))?;
    fs::write(
        folder.join("net.json"),
        r#"{ "operations": [{ "type": "connect" }] }"#,
    )?;
    Ok(())
}

#[test]
fn a_suite_becomes_a_table() {
    with_pool(&Setup::broker().native("native", 2).tab(2), async |pool| {
        let folder = tempfile::tempdir()?;
        good(&folder.path().join("good"))?;
        bad(&folder.path().join("bad"))?;
        let program = programs::program("wasipool-wasi-testsuite")?;
        let run = async |arguments: &[&str]| {
            let mut command = tokio::process::Command::new(&program);
            command
                .args(["--broker", pool.client.base()])
                .args(arguments);
            let output = command.current_dir(folder.path()).output().await?;
            let text = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
            let code = output.status.code().context("it was killed")?;
            anyhow::Ok((code, text))
        };

        let (code, text) = run(&["good"]).await?;
        anyhow::ensure!(
            code == 0 && text.ends_with("10 passed, 0 failed, 0 skipped\n"),
            "{text}"
        );
        for line in [
            "deep/exit    pass     pass",
            "\nnative: 5 passed, 0 failed, 0 skipped\nbrowser: 5 passed, 0",
        ] {
            anyhow::ensure!(text.contains(line), "{line}\nis not in\n{text}");
        }

        let (code, text) = run(&["--kind", "native", "bad", "good", "--only", "a"]).await?;
        anyhow::ensure!(code == 1, "{text}");
        for line in [
            "bad\ntest",
            "good\ntest",
            "1 passed, 3 failed, 0 skipped",
            "native: exit code 0, not 9",
            "native: stdout is \"\", not \"x\"",
            "native: trapped: unreachable",
            "native: refused: ",
        ] {
            anyhow::ensure!(text.contains(line), "{line}\nis not in\n{text}");
        }
        let (code, text) = run(&["--kind", "browser", "bad", "--only", "net"]).await?;
        anyhow::ensure!(
            code == 0 && text.contains("browser: operation connect"),
            "{text}"
        );
        let skip = ["bad", "--skip", "trap,no-such-test", "--skip", "alien,cat"];
        let (code, text) = run(&[&["--kind", "native"], &skip[..]].concat()).await?;
        anyhow::ensure!(
            code == 0
                && text.contains("native: not wanted")
                && text.ends_with("0 passed, 0 failed, 4 skipped\n"),
            "{text}"
        );
        let (code, text) = run(&["no-such-folder"]).await?;
        anyhow::ensure!(code == 2 && text.contains("no-such-folder"), "{text}");
        Ok(())
    });
}
