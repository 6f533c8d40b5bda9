//! What an operator decides: flags, environment, config file.
//!
//! Each setting is a flag, a `WASIPOOL_…` variable and a key of the config file
//! (TOML). A flag wins over the environment, which wins over the file.
//!
//! - `tasks`: what one task may bring.
//! - `file`: the config file; `values`: how times and sizes are written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use wasipool_shared::limits;

use crate::core::Trust;
use crate::store::Keep;

mod file;
mod tasks;
mod values;

pub use tasks::TaskSettings;

use values::{duration, size};

/// One broker for a pool of providers that run WebAssembly: native daemons and
/// browser tabs.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "wasipool-broker",
    version,
    after_help = "To begin:\n  \
        wasipool-broker --ephemeral                      start, state in memory\n  \
        wasipool-provider                                lend this machine's cores\n  \
        curl -T app.wasm http://127.0.0.1:4080/v1/blobs/ upload a module\n  \
        curl -d '' 'http://127.0.0.1:4080/v1/run/app.wasm?arg=hello'  run it"
)]
pub struct Config {
    /// Where HTTP is served: API and page (port 0: any free one)
    #[arg(
        long,
        env = "WASIPOOL_HTTP",
        default_value = "127.0.0.1:4080",
        help_heading = "Addresses"
    )]
    pub http: SocketAddr,
    /// Where WebTransport is served, over UDP (port 0: any free one)
    #[arg(
        long,
        env = "WASIPOOL_TRANSPORT",
        default_value = "127.0.0.1:4443",
        help_heading = "Addresses"
    )]
    pub transport: SocketAddr,
    /// The host that providers are told to connect to, if it isn't the address
    /// of --transport
    #[arg(
        long,
        env = "WASIPOOL_PUBLIC_HOST",
        value_name = "HOST",
        help_heading = "Addresses"
    )]
    pub public_host: Option<String>,
    /// Another origin whose pages may use this broker, e.g. https://pool.example
    /// (the broker's own is always allowed)
    #[arg(
        long = "origin",
        env = "WASIPOOL_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN",
        help_heading = "Addresses"
    )]
    pub origins: Vec<String>,

    /// Folder where jobs, results and blobs are kept: what was accepted survives
    /// whatever happens to the broker
    #[arg(
        long,
        env = "WASIPOOL_DATA",
        value_name = "DIR",
        conflicts_with = "ephemeral",
        help_heading = "State"
    )]
    pub data: Option<PathBuf>,
    /// Keep everything in memory (also what happens without --data)
    #[arg(long, env = "WASIPOOL_EPHEMERAL", help_heading = "State")]
    pub ephemeral: bool,
    /// How long jobs and their results are kept when they have ended, e.g. 12h,
    /// 7d
    #[arg(
        long,
        env = "WASIPOOL_KEEP_JOBS",
        value_name = "TIME",
        default_value = "7d",
        value_parser = duration,
        help_heading = "State"
    )]
    pub keep_jobs: Duration,
    /// Bytes of results that are kept: beyond, the oldest jobs that have ended
    /// are forgotten [default: 16GiB; 2GiB in memory]
    #[arg(long, env = "WASIPOOL_KEEP_BYTES", value_name = "SIZE", value_parser = size, help_heading = "State")]
    pub keep_bytes: Option<u64>,

    /// Certificate chain for the transport, in PEM; without it the broker makes
    /// a short-lived one and announces its hash
    #[arg(
        long,
        env = "WASIPOOL_CERTIFICATE",
        value_name = "FILE",
        requires = "certificate_key",
        help_heading = "Security"
    )]
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(
        long,
        env = "WASIPOOL_CERTIFICATE_KEY",
        value_name = "FILE",
        requires = "certificate",
        help_heading = "Security"
    )]
    pub certificate_key: Option<PathBuf>,
    /// File with the tokens that may submit and read jobs and blobs: a line is
    /// NAME:TOKEN or just TOKEN; tokens of one name share their limits, and logs
    /// show the name
    #[arg(
        long,
        env = "WASIPOOL_SUBMIT_TOKENS",
        value_name = "FILE",
        help_heading = "Security"
    )]
    pub submit_tokens: Option<PathBuf>,
    /// File with the tokens that let providers join, in the same form
    #[arg(
        long,
        env = "WASIPOOL_PROVIDE_TOKENS",
        value_name = "FILE",
        help_heading = "Security"
    )]
    pub provide_tokens: Option<PathBuf>,
    /// File with the tokens that may do everything, in the same form
    #[arg(
        long,
        env = "WASIPOOL_ADMIN_TOKENS",
        value_name = "FILE",
        help_heading = "Security"
    )]
    pub admin_tokens: Option<PathBuf>,
    /// Whose results are believed: of `all` who join, or with `adaptive` only of
    /// those whose results others have confirmed; everybody else's are checked
    /// by a second provider of another address (BOINC's adaptive replication).
    /// For pools with strangers
    #[arg(
        long,
        env = "WASIPOOL_TRUST",
        value_name = "WHOM",
        default_value = "all",
        help_heading = "Security"
    )]
    pub trust: TrustSetting,
    /// Confirmed results in a row after which an address is trusted; then N
    /// results in a row leave one of N to be checked
    #[arg(
        long,
        env = "WASIPOOL_TRUSTED_AFTER",
        value_name = "N",
        default_value_t = 10,
        help_heading = "Security"
    )]
    pub trusted_after: u32,
    /// Of N tasks that an address gets which isn't trusted, one is a task whose
    /// result is known already (0: none)
    #[arg(
        long,
        env = "WASIPOOL_SPOT_CHECKS",
        value_name = "N",
        default_value_t = 10,
        help_heading = "Security"
    )]
    pub spot_checks: u32,
    /// Let anybody in although an address is not loopback
    #[arg(long, env = "WASIPOOL_INSECURE_OPEN", help_heading = "Security")]
    pub insecure_open: bool,

    /// Silence after which a provider is taken for dead and its tasks go
    /// elsewhere
    #[arg(long, env = "WASIPOOL_SESSION_IDLE", value_name = "TIME", default_value = "15s", value_parser = duration, help_heading = "Limits")]
    pub session_idle: Duration,
    /// How long a one-shot run waits for a provider that could run it, before
    /// it is rejected (a job says so itself: `placement_timeout`)
    #[arg(
        long,
        env = "WASIPOOL_RUN_PLACEMENT_TIMEOUT",
        value_name = "TIME",
        default_value = "30s",
        value_parser = duration,
        help_heading = "Limits"
    )]
    pub run_placement_timeout: Duration,
    /// Providers that may be connected at a time
    #[arg(long, env = "WASIPOOL_PROVIDERS_MAX", value_name = "N", default_value_t = limits::PROVIDERS_MAX, help_heading = "Limits")]
    pub providers_max: usize,
    /// Tasks that may wait or run at a time
    #[arg(long, env = "WASIPOOL_QUEUED_TASKS_MAX", value_name = "N", default_value_t = limits::QUEUED_TASKS_MAX, help_heading = "Limits")]
    pub queued_tasks_max: u64,
    /// Tasks of one token's owner that may wait or run at a time
    #[arg(long, env = "WASIPOOL_TOKEN_QUEUED_TASKS_MAX", value_name = "N", default_value_t = limits::OWNER_QUEUED_TASKS_MAX, help_heading = "Limits")]
    pub token_queued_tasks_max: u64,
    /// Requests of one token's owner in a second, as many of them at once
    #[arg(long, env = "WASIPOOL_TOKEN_REQUESTS_MAX", value_name = "N", default_value_t = limits::OWNER_REQUESTS_MAX, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Limits")]
    pub token_requests_max: u32,
    /// Tasks of one job
    #[arg(long, env = "WASIPOOL_JOB_TASKS_MAX", value_name = "N", default_value_t = limits::JOB_TASKS_MAX, help_heading = "Limits")]
    pub job_tasks_max: u32,
    /// Bytes of one blob, e.g. 512MiB
    #[arg(long, env = "WASIPOOL_BLOB_MAX", value_name = "SIZE", default_value = "512MiB", value_parser = size, help_heading = "Limits")]
    pub blob_max: u64,
    /// Bytes of all blobs, e.g. 16GiB
    #[arg(long, env = "WASIPOOL_STORED_MAX", value_name = "SIZE", default_value = "16GiB", value_parser = size, help_heading = "Limits")]
    pub stored_max: u64,
    /// Bytes of all blobs that one token's owner brought, e.g. 4GiB
    #[arg(long, env = "WASIPOOL_TOKEN_STORED_MAX", value_name = "SIZE", default_value = "4GiB", value_parser = size, help_heading = "Limits")]
    pub token_stored_max: u64,
    /// Bytes of a JSON request, e.g. 64MiB
    #[arg(long, env = "WASIPOOL_REQUEST_MAX", value_name = "SIZE", default_value = "64MiB", value_parser = size, help_heading = "Limits")]
    pub request_max: u64,

    /// Slots that one provider may offer
    #[arg(long, env = "WASIPOOL_SLOTS_MAX", value_name = "N", default_value_t = limits::SLOTS_MAX, value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::SLOTS_MAX)), help_heading = "Limits")]
    pub slots_max: u16,
    /// How long a new session may take to its first message
    #[arg(long, env = "WASIPOOL_FIRST_MESSAGE_TIMEOUT", value_name = "TIME", default_value = "5s", value_parser = duration, help_heading = "Limits")]
    pub first_message_timeout: Duration,
    /// What one task may bring
    #[command(flatten)]
    pub tasks: TaskSettings,

    /// Settings file (TOML): the flags' names as keys, without the dashes
    #[arg(
        long,
        env = "WASIPOOL_CONFIG",
        value_name = "FILE",
        help_heading = "Other"
    )]
    pub config: Option<PathBuf>,
    /// Threads of the network and all that happens at once; with one there are no
    /// wake-ups between them [default: the processors; 1 where there are but two]
    #[arg(long, env = "WASIPOOL_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Other")]
    pub threads: Option<u16>,
    /// How logs look; they go to stderr, RUST_LOG says how much
    #[arg(
        long,
        env = "WASIPOOL_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Other"
    )]
    pub log_format: LogFormat,
}

/// Whose results are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustSetting {
    /// Everybody's.
    All,
    /// Those of parties whose results others have confirmed.
    Adaptive,
}

impl From<TrustSetting> for Trust {
    fn from(setting: TrustSetting) -> Self {
        match setting {
            TrustSetting::All => Self::All,
            TrustSetting::Adaptive => Self::Adaptive,
        }
    }
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The command line, or a value wherever it came from.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The config file can't be read or isn't TOML.
    #[error("the config file {path}: {reason}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Anybody could use the broker.
    #[error(
        "{0} can be reached from other machines and there are no tokens: give --submit-tokens and \
         --provide-tokens, or --insecure-open if everybody there may use this broker"
    )]
    Open(SocketAddr),
}

impl Config {
    /// Reads command line, environment and config file.
    ///
    /// # Errors
    /// If something in them can't be used; `--help` and `--version` come this
    /// way too.
    pub fn load(args: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let mut args: Vec<_> = args.into_iter().collect();
        let first = Self::try_parse_from(&args)?;
        let config = match &first.config {
            Some(path) => {
                let program = if args.is_empty() {
                    OsString::new()
                } else {
                    args.remove(0)
                };
                let mut all = vec![program];
                all.extend(file::args(path, &args)?.into_iter().map(OsString::from));
                all.extend(args);
                Self::try_parse_from(all)?
            }
            None => first,
        };
        config.check()?;
        Ok(config)
    }

    /// Threads of the runtime. Up to two processors, which providers or clients
    /// may share, one does more than two that wake each other.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.map_or_else(
            || match std::thread::available_parallelism().map_or(1, usize::from) {
                0..=2 => 1,
                processors => processors,
            },
            usize::from,
        )
    }

    /// Which jobs are kept when they have ended.
    #[must_use]
    pub fn keep(&self) -> Keep {
        let bytes = match self.data {
            Some(_) => limits::KEPT_BYTES_MAX,
            None => limits::KEPT_BYTES_MAX_IN_MEMORY,
        };
        Keep {
            time: Some(self.keep_jobs),
            bytes: self.keep_bytes.unwrap_or(bytes),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let closed = self.submit_tokens.is_some() && self.provide_tokens.is_some();
        if closed || self.insecure_open {
            return Ok(());
        }
        match [self.http, self.transport]
            .into_iter()
            .find(|address| !address.ip().is_loopback())
        {
            Some(address) => Err(ConfigError::Open(address)),
            None => Ok(()),
        }
    }

    /// The origins whose pages may use this broker, its HTTP address known.
    #[must_use]
    pub fn allowed_origins(&self, http: SocketAddr) -> BTreeSet<String> {
        let port = http.port();
        let mut own = vec![format!("http://{http}")];
        if http.ip().is_loopback() || http.ip().is_unspecified() {
            own.extend(
                ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}")),
            );
        }
        if let Some(host) = &self.public_host {
            own.extend([format!("https://{host}"), format!("http://{host}:{port}")]);
        }
        own.into_iter()
            .chain(self.origins.iter().cloned())
            .collect()
    }
}

#[cfg(test)]
mod tests;
