//! A broker with its providers: real processes on free ports of the loopback.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::client::Client;
use crate::process::Process;
use crate::programs;
use crate::usage::Usage;

/// Until a program is ready; a busy machine takes its time.
const START: Duration = Duration::from_secs(40);

/// What a pool begins with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    broker: Vec<&'static str>,
    natives: Vec<(&'static str, u32)>,
    tab: Option<u32>,
    durable: bool,
}

impl Setup {
    /// A broker alone.
    #[must_use]
    pub fn broker() -> Self {
        Self::default()
    }

    /// Adds arguments of the broker's.
    #[must_use]
    pub fn args(mut self, args: &[&'static str]) -> Self {
        self.broker.extend(args);
        self
    }

    /// Lets no packet by UDP come through: providers are told of an address
    /// where nobody is.
    #[must_use]
    pub fn without_udp(self) -> Self {
        self.args(&["--public-host", "127.0.0.2"])
    }

    /// Adds a native provider.
    #[must_use]
    pub fn native(mut self, name: &'static str, slots: u32) -> Self {
        self.natives.push((name, slots));
        self
    }

    /// Lets the broker keep all in a folder.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Adds a tab of a headless browser; its name is `tab`.
    #[must_use]
    pub fn tab(mut self, slots: u32) -> Self {
        self.tab = Some(slots);
        self
    }
}

/// A running pool. All of it ends when it is dropped.
#[derive(Debug)]
pub struct Pool {
    /// Its API.
    pub client: Client,
    http: String,
    transport: String,
    broker: Process,
    args: Vec<&'static str>,
    natives: Vec<(String, Process)>,
    tab: Option<Process>,
    starts: u32,
    durable: bool,
    // The last field: the folder goes when nobody writes to it any more.
    folder: TempDir,
}

impl Pool {
    /// Starts the broker of `setup`, without providers.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn start(setup: &Setup) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("no folder for temporary files")?;
        let any = ("127.0.0.1:0", "127.0.0.1:0");
        let args = setup.broker.clone();
        let (broker, http, transport) =
            start_broker("broker", any, &args, folder.path(), setup.durable).await?;
        let client = Client::new(&http)?;
        Ok(Self {
            client,
            http,
            transport,
            broker,
            args,
            natives: Vec::new(),
            tab: None,
            starts: 0,
            durable: setup.durable,
            folder,
        })
    }

    /// Starts all of `setup` and waits until it is connected.
    ///
    /// # Errors
    /// If something isn't.
    pub async fn add(&mut self, setup: &Setup) -> anyhow::Result<()> {
        for (name, slots) in &setup.natives {
            self.start_native(name, *slots).await?;
        }
        match setup.tab {
            Some(slots) => self.start_tab(slots).await,
            None => Ok(()),
        }
    }

    /// Adds a native provider.
    ///
    /// # Errors
    /// If it doesn't start or connect.
    pub async fn start_native(&mut self, name: &str, slots: u32) -> anyhow::Result<()> {
        let process = self.spawn_native(name, slots)?;
        // First of all into the pool: it shows the logs if the start fails.
        self.natives.push((name.to_owned(), process));
        let line = self
            .native(name)
            .line("wasipool-provider ready ", START)
            .await?;
        anyhow::ensure!(word(&line, "slots")? == slots.to_string(), "{line}");
        self.connected(name).await
    }

    fn spawn_native(&self, name: &str, slots: u32) -> anyhow::Result<Process> {
        let mut command = Command::new(programs::program("wasipool-provider")?);
        command.args([
            "--broker",
            &self.http,
            "--slots",
            &slots.to_string(),
            "--name",
            name,
        ]);
        command
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"));
        Process::start(name, command, self.folder.path())
    }

    /// Opens the tab.
    ///
    /// # Errors
    /// If the browser doesn't start or its page doesn't connect.
    pub async fn start_tab(&mut self, slots: u32) -> anyhow::Result<()> {
        self.starts += 1;
        // A profile is of one process: another tab must not find a killed one's.
        let profile = self.folder.path().join(format!("profile-{}", self.starts));
        let mut command = Command::new(programs::browser()?);
        command
            .args(programs::BROWSER_FLAGS)
            .arg("--enable-logging=stderr");
        command.arg(format!("--user-data-dir={}", profile.display()));
        command.arg(format!(
            "{}/join?autostart=1&slots={slots}&name=tab",
            self.http
        ));
        self.tab = Some(Process::start("tab", command, self.folder.path())?);
        self.connected("tab").await
    }

    /// Waits until a provider is listed.
    ///
    /// # Errors
    /// If it isn't in time.
    pub async fn connected(&self, name: &str) -> anyhow::Result<()> {
        let what = format!("the provider {name} is connected");
        let listed = self.client.providers_until(&what, START, |providers| {
            providers
                .iter()
                .any(|provider| provider.name == name)
                .then_some(())
        });
        listed.await
    }

    /// The process of a native provider.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn native(&mut self, name: &str) -> &mut Process {
        let mut natives = self.natives.iter_mut();
        let found = natives
            .find(|(known, _)| known == name)
            .expect("a native provider's name");
        &mut found.1
    }

    /// The process of the provider of that name, `tab` included.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn process(&self, name: &str) -> &Process {
        if name == "tab" {
            return self.tab.as_ref().expect("a tab");
        }
        let mut natives = self.natives.iter();
        let found = natives.find(|(known, _)| known == name);
        &found.expect("a native provider's name").1
    }

    /// Kills the provider of that name, `tab` included, without a warning.
    ///
    /// # Errors
    /// If it can't be killed.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        match name {
            "tab" => self.tab.as_mut().expect("a tab").kill(),
            name => self.native(name).kill(),
        }
    }

    /// Kills a native provider and starts another one of that name; doesn't wait
    /// until it is connected.
    ///
    /// # Errors
    /// If it can't be killed or started.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn replace_native(&mut self, name: &str, slots: u32) -> anyhow::Result<()> {
        self.native(name).kill()?;
        let process = self.spawn_native(name, slots)?;
        *self.native(name) = process;
        Ok(())
    }

    /// What the broker has used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub fn broker_usage(&self) -> anyhow::Result<Usage> {
        self.broker.usage()
    }

    /// Kills the broker and starts another one at the same addresses.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn restart_broker(&mut self) -> anyhow::Result<()> {
        self.broker.kill()?;
        // What is announced may be another address than its own.
        let address = |url: &str| {
            let port = url.rsplit_once(':').map_or("0", |(_, port)| port);
            format!("127.0.0.1:{port}")
        };
        let (http, transport) = (address(&self.http), address(&self.transport));
        self.starts += 1;
        // A name of its own: the first one's ready line must not be taken for its.
        let name = format!("broker-{}", self.starts);
        let addresses = (http.as_str(), transport.as_str());
        let folder = self.folder.path();
        let (broker, ..) = start_broker(&name, addresses, &self.args, folder, self.durable).await?;
        self.broker = broker;
        Ok(())
    }
}

/// Starts a broker; gives its HTTP and its transport URL too.
async fn start_broker(
    name: &str,
    (http, transport): (&str, &str),
    args: &[&str],
    folder: &Path,
    durable: bool,
) -> anyhow::Result<(Process, String, String)> {
    let mut command = Command::new(programs::program("wasipool-broker")?);
    command.args(["--http", http, "--transport", transport]);
    if durable {
        command.arg("--data").arg(folder.join("data"));
    } else {
        command.arg("--ephemeral");
    }
    command.args(["--run-placement-timeout", "5s"]).args(args);
    if !args.contains(&"--session-idle") {
        // What dies silently is to be noticed within a test's time.
        command.args(["--session-idle", "3s"]);
    }
    let mut process = Process::start(name, command, folder)?;
    let line = process.line("wasipool-broker ready ", START).await?;
    let (http, transport) = (word(&line, "http")?, word(&line, "transport")?);
    Ok((process, http, transport))
}

/// The value of `NAME=VALUE` in a ready line.
fn word(line: &str, name: &str) -> anyhow::Result<String> {
    let mut words = line
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    let found = words.find(|(known, _)| *known == name);
    found
        .map(|(_, value)| value.to_owned())
        .with_context(|| format!("no {name}= in: {line}"))
}
