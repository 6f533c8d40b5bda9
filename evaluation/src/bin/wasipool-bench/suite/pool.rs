//! A pool that is measured: the programs of the same profile, on free ports of
//! the loopback, set up as an operator would.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use wasipool_evaluation::client::Client;
use wasipool_evaluation::process::Process;
use wasipool_evaluation::{programs, usage};

use crate::swarm;

/// Until a program is ready.
const START: Duration = Duration::from_secs(60);

/// What a pool consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Whether jobs are kept on disk.
    pub(crate) durable: bool,
    /// Who runs the tasks.
    pub(crate) provider: ProviderKind,
    /// How many at a time.
    pub(crate) slots: usize,
}

/// Who runs the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderKind {
    /// A daemon.
    Native,
    /// A tab of a headless Chromium.
    Tab,
    /// So many simulated providers that answer at once.
    Swarm(usize),
}

/// A running pool, all of which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Its API.
    pub(crate) client: Client,
    /// How fast a swarm joined.
    pub(crate) joins_per_second: f64,
    /// By how much the broker's memory grew as all joined, in bytes.
    pub(crate) joined_bytes: u64,
    broker: Process,
    provider: Process,
    // The last field: the folder goes when nobody writes to it any more.
    #[expect(dead_code, reason = "it is there to be dropped last")]
    folder: TempDir,
}

/// Processor time and the peak of memory of both sides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    /// Of the broker, in microseconds.
    pub(crate) broker_cpu_us: f64,
    /// Of the provider, in microseconds.
    pub(crate) provider_cpu_us: f64,
    /// Of the broker, in bytes.
    pub(crate) broker_peak: u64,
    /// Of the provider, in bytes.
    pub(crate) provider_peak: u64,
}

impl Pool {
    /// Starts a pool and stores guests in it.
    ///
    /// # Errors
    /// If something doesn't start.
    pub(crate) async fn start(setup: Setup, guests: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no folder for temporary files")?;
        let mut command = Command::new(programs::program("wasipool-broker")?);
        command.args(["--http", "127.0.0.1:0", "--transport", "127.0.0.1:0"]);
        if setup.durable {
            command.arg("--data").arg(folder.path().join("data"));
        } else {
            command.arg("--ephemeral");
        }
        let mut broker = Process::start("broker", command, folder.path())?;
        let line = broker.line("wasipool-broker ready ", START).await?;
        let base = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("http="))
            .with_context(|| format!("no address in {line:?}"))?;
        let client = Client::new(base)?;
        client.put_guests(guests).await?;
        let slots = setup.slots.to_string();
        let command = match setup.provider {
            ProviderKind::Native => daemon(base, &slots, &folder.path().join("cache"))?,
            ProviderKind::Tab => tab(base, &slots, &folder.path().join("profile"))?,
            ProviderKind::Swarm(providers) => simulated(base, &slots, providers)?,
        };
        let alone = broker.usage()?.resident_bytes;
        let mut provider = Process::start("provider", command, folder.path())?;
        let joins_per_second = match setup.provider {
            ProviderKind::Swarm(_) => {
                provider.line(swarm::READY, START).await?[swarm::READY.len()..].parse()?
            }
            _ => 0.0,
        };
        let joined = |providers: &[wasipool_evaluation::model::Provider]| {
            providers.iter().any(|one| one.slots > 0).then_some(())
        };
        client
            .providers_until("the provider is connected", START, joined)
            .await?;
        Ok(Self {
            joins_per_second,
            joined_bytes: broker.usage()?.resident_bytes.saturating_sub(alone),
            client,
            broker,
            provider,
            folder,
        })
    }

    /// The address of its API.
    pub(crate) fn base(&self) -> &str {
        self.client.base()
    }

    /// What both sides have used so far.
    ///
    /// # Errors
    /// If one has ended.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let (broker, provider) = (self.broker.usage()?, self.provider.usage()?);
        Ok(Used {
            broker_cpu_us: broker.cpu.as_secs_f64() * 1e6,
            provider_cpu_us: provider.cpu.as_secs_f64() * 1e6,
            broker_peak: broker.peak_bytes,
            provider_peak: provider.peak_bytes,
        })
    }

    /// Begins anew with the peaks of memory.
    ///
    /// # Errors
    /// If the processes can't be listed.
    pub(crate) fn forget_peaks(&self) -> anyhow::Result<()> {
        usage::forget_peak(self.broker.group())?;
        usage::forget_peak(self.provider.group())
    }

    /// Memory in use at the broker, in bytes.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn broker_resident(&self) -> anyhow::Result<u64> {
        Ok(self.broker.usage()?.resident_bytes)
    }
}

fn daemon(base: &str, slots: &str, cache: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(programs::program("wasipool-provider")?);
    command.args(["--broker", base, "--slots", slots, "--name", "daemon"]);
    command.arg("--cache-dir").arg(cache);
    Ok(command)
}

fn tab(base: &str, slots: &str, profile: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(programs::browser()?);
    command.args(programs::BROWSER_FLAGS);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.arg(format!("{base}/join?autostart=1&slots={slots}&name=tab"));
    Ok(command)
}

fn simulated(base: &str, slots: &str, providers: usize) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["swarm", base, &providers.to_string(), "--slots", slots]);
    Ok(command)
}
