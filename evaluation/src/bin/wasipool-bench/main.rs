//! `wasipool-bench`: measures a pool against what its parts can do alone.
//!
//! # Layout
//! - [`load`]: the load generator: closed and open loop, each reply checked.
//! - [`floors`]: parts of the way alone, each in a process of its own.
//! - [`swarm`]: many simulated providers, for the cost of a pool's size.
//! - [`suite`]: cases in interleaved rounds, each against its floor.
//! - [`report`]: table, readings as JSON, chart.

mod floors;
mod load;
mod report;
mod suite;
mod swarm;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use floors::Floor;
use load::{Expect, Span, Target};
use suite::Effort;
use swarm::Swarm;

/// Measures a pool: how many tasks a second, how long each takes, what that
/// costs; and the same for parts of the way alone, in the same minutes, so that
/// a ratio remains when a machine is slow or busy.
#[derive(Debug, Parser)]
#[command(name = "wasipool-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts pools of its own and measures all cases (build with `--release` first).
    Suite(SuiteArguments),
    /// Sends one request again and again to any address.
    Load(LoadArguments),
    /// Joins a broker as many simulated providers, which answer each task at once.
    Swarm(Swarm),
    /// Is one of the floors (the suite starts them).
    #[command(subcommand, hide = true)]
    Floor(Floor),
}

#[derive(Debug, Args)]
struct SuiteArguments {
    /// Fewer cases, shorter: under three minutes.
    #[arg(long)]
    quick: bool,
    /// Only these groups: run, jobs, durable, tab, earlier, scale-1 to scale-5000.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds [default: 5; quick: 3].
    #[arg(long)]
    rounds: Option<usize>,
    /// Time of each measurement [default: 4s; quick: 2s].
    #[arg(long, value_parser = humantime::parse_duration)]
    time: Option<Duration>,
    /// Where readings and chart are written.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct LoadArguments {
    /// `http://HOST:PORT/PATH`; it is sent as a POST.
    url: String,
    /// The body.
    #[arg(long, default_value = "")]
    body: String,
    /// The body that each reply must have [default: any is right that has status 200].
    #[arg(long)]
    expect: Option<String>,
    /// Requests at a time.
    #[arg(long, short, default_value_t = 64)]
    connections: usize,
    /// Requests a second, at a constant rate [default: as many as are answered].
    #[arg(long)]
    rate: Option<f64>,
    /// For how long.
    #[arg(long, short, default_value = "5s", value_parser = humantime::parse_duration)]
    time: Duration,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The floors of many requests want one thread less than there are processors,
    // as the broker's own runtime; the generator is lean on one.
    let mut builder = match cli.command {
        Command::Floor(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let done = builder
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                match cli.command {
                    Command::Suite(arguments) => run_suite(&arguments).await,
                    Command::Load(arguments) => run_load(&arguments).await,
                    Command::Swarm(swarm) => swarm::run(swarm).await,
                    Command::Floor(floor) => floors::run(floor).await,
                }
            })
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("wasipool-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run_suite(arguments: &SuiteArguments) -> anyhow::Result<()> {
    let known = suite::groups();
    if let Some(unknown) = arguments
        .only
        .iter()
        .find(|name| known.iter().all(|group| group.name != **name))
    {
        anyhow::bail!("no group {unknown:?}: see --help");
    }
    let (rounds, time) = if arguments.quick { (3, 2) } else { (5, 4) };
    let effort = Effort {
        rounds: arguments.rounds.unwrap_or(rounds).max(1),
        time: arguments.time.unwrap_or(Duration::from_secs(time)),
    };
    let mut outcomes = Vec::new();
    for mut group in known {
        let wanted =
            arguments.only.is_empty() || arguments.only.iter().any(|name| name == group.name);
        group
            .cases
            .retain(|case| wanted && (case.quick || !arguments.quick));
        if !group.cases.is_empty() {
            outcomes.extend(suite::run(&group, effort, tell).await?);
        }
    }
    print(&report::table(&outcomes));
    report::write(&arguments.out, &outcomes)?;
    print(&format!("Readings and chart: {}", arguments.out.display()));
    Ok(())
}

async fn run_load(arguments: &LoadArguments) -> anyhow::Result<()> {
    let rest = arguments.url.strip_prefix("http://");
    let rest =
        rest.ok_or_else(|| anyhow::anyhow!("{:?} doesn't start with http://", arguments.url))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let expect = arguments
        .expect
        .as_ref()
        .map_or(Expect::Any, |body| Expect::Body(body.clone().into_bytes()));
    let target = Target::post(
        host,
        path,
        "application/octet-stream",
        arguments.body.as_bytes(),
        expect,
    );
    let span = Span {
        warm_up: Duration::from_secs(1),
        measured: arguments.time,
    };
    let sample = match arguments.rate {
        Some(rate) => load::open(&target, arguments.connections, rate, span).await?,
        None => load::closed(&target, arguments.connections, span).await?,
    };
    print(&format!(
        "{} replies, {:.0} a second; ms: p50 {:.3}, p90 {:.3}, p99 {:.3}, p99.9 {:.3}, longest {:.3}",
        sample.count(),
        sample.rate(),
        sample.quantile_ms(0.5),
        sample.quantile_ms(0.9),
        sample.quantile_ms(0.99),
        sample.quantile_ms(0.999),
        sample.quantile_ms(1.0),
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the program is asked for")]
fn print(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "how far it is")]
fn tell(line: &str) {
    eprintln!("{line}");
}
