//! The README says what is true: its commands run, in order, and print what it
//! shows.
//!
//! A block of `sh` after the line `<!-- run -->` is run; a block of `text` after
//! `<!-- output -->` is what the commands before it print. In it, `…` stands for
//! anything on its line, and a line of nothing else for any lines.

mod blocks;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use wasipool_evaluation::pool::Setup;
use wasipool_evaluation::programs;
use wasipool_evaluation::scenario::with_pool;
use wasipool_evaluation::wait::until;

/// How long one block may take.
const BLOCK_LIMIT: Duration = Duration::from_secs(60);
/// The address in the README, of which the test's broker takes the place.
const DOCUMENTED: [&str; 2] = ["http://127.0.0.1:4080", "http://localhost:4080"];

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    with_pool(&Setup::broker().native("native", 2).tab(1), async |pool| {
        let path = programs::repository().join("README.md");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let blocks = blocks::parse(&text)?;
        anyhow::ensure!(!blocks.is_empty(), "README.md has no block to run");
        let folder = tempfile::tempdir()?;
        for block in blocks {
            let place = format!("README.md, line {}", block.line);
            let base = pool.client.base();
            let script = DOCUMENTED.iter().fold(block.script, |script, documented| {
                script.replace(documented, base)
            });
            let output = run(&script, folder.path()).await.context(place.clone())?;
            if let Some(expected) = block.output {
                // What is printed may have the address too.
                let output = output.replace(base, DOCUMENTED[0]);
                anyhow::ensure!(
                    blocks::matches(&expected, &output),
                    "{place}: it shows\n{expected}\nbut its commands print\n{output}"
                );
            }
        }
        Ok(())
    });
}

/// Runs a script as someone does who follows the README; gives its stdout.
async fn run(script: &str, folder: &std::path::Path) -> anyhow::Result<String> {
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let mut child = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(programs::repository())
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&stdout)?)
        .stderr(std::fs::File::create(&stderr)?)
        .spawn()
        .context("bash doesn't start")?;
    let ended = until("the commands end", BLOCK_LIMIT, async || {
        Ok(child.try_wait()?)
    })
    .await;
    let read = |path| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (stdout, stderr) = (read(&stdout)?, read(&stderr)?);
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    let status = ended?;
    anyhow::ensure!(
        status.success(),
        "{status}\n{script}\nprinted\n{stdout}\nand\n{stderr}"
    );
    Ok(stdout)
}
