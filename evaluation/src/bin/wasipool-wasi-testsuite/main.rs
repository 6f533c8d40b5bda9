//! `wasipool-wasi-testsuite`: runs built WASI tests against a running pool.
//!
//! # Layout
//! - [`find`]: the tests below a folder, and what each says of itself.
//! - [`check`]: one test as a job, and what came of it.

mod check;
mod find;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use wasipool_evaluation::client::Client;

use check::{Submitted, Verdict};
use find::Test;

/// Runs the WASI tests below the folders on a running pool, and prints which
/// passed on which kind of provider.
///
/// Made for the built tests of the WebAssembly/wasi-testsuite repository, e.g.
/// `tests/rust/testsuite/wasm32-wasip1`: each NAME.wasm (or .wat) is a test, and
/// NAME.json beside it says its args, env, root, dirs, exit_code, stdout and
/// stderr, or has these as `operations`. A guest of wasipool has one folder, `/`:
/// `root` becomes it, each of `dirs` lies in it by its name, and an argument that
/// names one of `dirs` becomes `/`.
#[derive(Debug, Parser)]
#[command(name = "scripts/wasi-testsuite", version)]
struct Arguments {
    /// Folders with built tests; they are searched to the bottom.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The broker.
    #[arg(long, default_value = "http://127.0.0.1:4080", env = "WASIPOOL_BROKER")]
    broker: String,
    /// Where to run each test [default: every kind that is connected].
    #[arg(long, value_delimiter = ',')]
    kind: Vec<Kind>,
    /// Only tests with this in their names.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Tests that aren't run, by their names, because it is known why they fail.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    skip: Vec<String>,
    /// How long one test may run.
    #[arg(long, default_value = "60s")]
    timeout: humantime::Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Native,
    Browser,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Browser => "browser",
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "wasi-testsuite: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all tests passed.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let client = Client::new(&arguments.broker)?;
    let kinds = kinds(&client, &arguments.kind).await?;
    let mut tests = Vec::new();
    for folder in &arguments.folders {
        tests.extend(find::below(folder, arguments.only.as_deref())?);
    }
    anyhow::ensure!(!tests.is_empty(), "there are no tests below these folders");
    for test in &mut tests {
        if arguments.skip.contains(&test.name) {
            test.spec.unsupported = Some("not wanted: --skip".to_owned());
        }
    }

    // All at once: the table takes the time of its slowest tests.
    let mut rows = Vec::new();
    for test in &tests {
        let mut row = Vec::new();
        for kind in &kinds {
            row.push(check::submit(&client, test, kind.as_str(), *arguments.timeout).await?);
        }
        rows.push(row);
    }
    let mut table = Table::new(&tests, &kinds);
    let mut folder = None;
    for (test, row) in tests.iter().zip(rows) {
        if folder.replace(&test.folder) != Some(&test.folder) {
            table.head(&test.folder, arguments.folders.len() > 1)?;
        }
        let mut verdicts = Vec::new();
        for submitted in row {
            verdicts.push(match submitted {
                Submitted::Job(id) => {
                    // Behind all the others, so with some more patience.
                    let patience = *arguments.timeout * 2 + Duration::from_secs(60);
                    check::verdict(&client, test, &id, patience).await?
                }
                Submitted::Not(verdict) => verdict,
            });
        }
        table.row(test, &verdicts)?;
    }
    table.end()
}

async fn kinds(client: &Client, asked: &[Kind]) -> anyhow::Result<Vec<Kind>> {
    let providers = client
        .providers()
        .await
        .with_context(|| format!("no broker at {}", client.base()))?;
    let connected = |kind: &Kind| {
        providers
            .iter()
            .any(|provider| provider.kind == kind.as_str())
    };
    let wanted = if asked.is_empty() {
        Kind::value_variants()
    } else {
        asked
    };
    let found: Vec<_> = wanted.iter().copied().filter(connected).collect();
    let missing = asked.iter().find(|kind| !connected(kind));
    anyhow::ensure!(
        missing.is_none() && !found.is_empty(),
        "the pool has no {} provider: start one",
        missing.map_or("", |kind| kind.as_str())
    );
    Ok(found)
}

/// The table as it is printed, row by row.
struct Table<'a> {
    out: std::io::Stdout,
    kinds: &'a [Kind],
    width: usize,
    /// Passed, failed, skipped, on each kind.
    counts: Vec<[usize; 3]>,
}

impl<'a> Table<'a> {
    fn new(tests: &[Test], kinds: &'a [Kind]) -> Self {
        let width = tests.iter().map(|test| test.name.len()).max();
        Self {
            out: std::io::stdout(),
            kinds,
            width: width.unwrap_or_default().max(4),
            counts: vec![[0; 3]; kinds.len()],
        }
    }

    /// Before the tests of a folder, which has its name there if it isn't alone.
    fn head(&mut self, folder: &Path, named: bool) -> std::io::Result<()> {
        if named {
            writeln!(self.out, "{}", folder.display())?;
        }
        write!(self.out, "{:width$}", "test", width = self.width)?;
        for kind in self.kinds {
            write!(self.out, "  {:7}", kind.as_str())?;
        }
        writeln!(self.out)
    }

    fn row(&mut self, test: &Test, verdicts: &[Verdict]) -> std::io::Result<()> {
        write!(self.out, "{:width$}", test.name, width = self.width)?;
        for (verdict, counts) in verdicts.iter().zip(&mut self.counts) {
            let (word, count) = match verdict {
                Verdict::Passed => ("pass", 0),
                Verdict::Failed(_) => ("FAIL", 1),
                Verdict::Skipped(_) => ("skip", 2),
            };
            counts[count] += 1;
            write!(self.out, "  {word:7}")?;
        }
        writeln!(self.out)?;
        for (kind, verdict) in self.kinds.iter().zip(verdicts) {
            if let Verdict::Failed(why) | Verdict::Skipped(why) = verdict {
                for line in why.lines() {
                    writeln!(self.out, "    {}: {line}", kind.as_str())?;
                }
            }
        }
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<bool> {
        let mut all = [0; 3];
        for (kind, counts) in self.kinds.iter().zip(&self.counts) {
            if self.kinds.len() > 1 {
                writeln!(self.out, "{}: {}", kind.as_str(), summary(counts))?;
            }
            for (sum, count) in all.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        writeln!(self.out, "{}", summary(&all))?;
        Ok(all[1] == 0)
    }
}

fn summary([passed, failed, skipped]: &[usize; 3]) -> String {
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}
