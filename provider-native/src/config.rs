//! Command line and environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use wasipool_shared::limits::{NAME_BYTES_MAX, SLOTS_MAX};
use wasipool_shared::transport::Wish;

/// Offers this machine's cores to a wasipool broker, and runs the WASI guests
/// that the broker sends, each in its own sandbox.
///
/// It prints one line to stdout when it is in the pool, and logs to stderr
/// (RUST_LOG=debug says more). If the broker goes away it connects again.
/// SIGTERM or Ctrl-C: it takes no new tasks, finishes the running ones, and
/// leaves; a second time: it leaves at once.
#[derive(Debug, Clone, Parser)]
#[command(name = "wasipool-provider", version)]
pub struct Config {
    /// Where the broker's HTTP side is.
    #[arg(
        long,
        env = "WASIPOOL_BROKER",
        default_value = "http://127.0.0.1:4080",
        value_name = "URL"
    )]
    pub broker: String,
    /// Guests to run at the same time [default: one for each core].
    #[arg(long, env = "WASIPOOL_SLOTS", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(SLOTS_MAX)))]
    pub slots: Option<u16>,
    /// What people call this provider [default: the machine's name].
    #[arg(long, env = "WASIPOOL_NAME", value_parser = name)]
    pub name: Option<String>,
    /// Memory for all guests together, like "2GiB" [default: half of the machine's].
    #[arg(long, env = "WASIPOOL_MEMORY", value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// A file with the token that lets providers in, if the broker asks for one.
    #[arg(long, env = "WASIPOOL_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How to connect: by webtransport, by websocket (where UDP is blocked), or auto:
    /// the first, and where that doesn't come about within 3 s, the second.
    #[arg(
        long,
        env = "WASIPOOL_PROVIDER_TRANSPORT",
        default_value = "auto",
        value_name = "KIND"
    )]
    pub transport: Wish,
    /// End when the session ends, instead of connecting again.
    #[arg(long, env = "WASIPOOL_ONCE")]
    pub once: bool,
    /// How long running guests may take after SIGTERM.
    #[arg(long, env = "WASIPOOL_DRAIN_TIMEOUT", default_value = "30s", value_name = "TIME",
          value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,
    /// Where compiled modules are kept [default: wasipool in the user's cache directory].
    #[arg(long, env = "WASIPOOL_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// How log lines look.
    #[arg(long, env = "WASIPOOL_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn name(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "a name has 1 to {NAME_BYTES_MAX} bytes and no control characters"
        ))
    }
}

/// A size in bytes: a number and perhaps a unit.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1_u64 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        unit => return Err(format!("{unit:?} is no unit: use KiB, MiB, GiB or TiB")),
    };
    let explain = || format!("{text:?} is no size: write it like 512MiB or 2GiB");
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(factor).ok_or_else(explain);
    }
    let number: f64 = number.parse().map_err(|_| explain())?;
    let bytes = number * factor as f64;
    if bytes.is_finite() && bytes < u64::MAX as f64 {
        Ok(bytes as u64)
    } else {
        Err(explain())
    }
}

#[cfg(test)]
mod tests {
    use wasipool_shared::transport::TransportKind;

    use super::*;

    #[test]
    fn sizes_are_understood() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("512MiB", 512 << 20),
            ("2GiB", 2 << 30),
            ("2g", 2 << 30),
            ("1.5 GiB", 3 << 29),
            ("10 kB", 10_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "GiB",
            "1.2.3",
            "-1",
            "5 bananas",
            "99999999999TiB",
            "1e3",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Config::command().debug_assert();
        let config = Config::parse_from(["wasipool-provider", "--slots", "3", "--memory", "1GiB"]);
        assert_eq!((config.slots, config.memory), (Some(3), Some(1 << 30)));
        assert_eq!(config.transport, Wish::Auto);
        let config = Config::parse_from(["wasipool-provider", "--transport", "websocket"]);
        assert_eq!(config.transport, Wish::Only(TransportKind::WebSocket));
        for wrong in [
            ["--slots", "0"],
            ["--slots", "1025"],
            ["--name", ""],
            ["--memory", "x"],
            ["--transport", "tcp"],
        ] {
            let args = std::iter::once("wasipool-provider").chain(wrong);
            assert!(Config::try_parse_from(args).is_err(), "{wrong:?}");
        }
    }
}
