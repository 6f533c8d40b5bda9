//! What one task may bring at most. The defaults are what the protocol and the
//! providers take at all: these settings only lower them.

use clap::Args;
use wasipool_shared::limits;

use super::values::size;

/// See the module.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits of a task")]
pub struct TaskSettings {
    /// Arguments of a task
    #[arg(long, env = "WASIPOOL_ARGS_MAX", value_name = "N", default_value_t = ceiling(limits::ARGS_MAX), value_parser = clap::value_parser!(u64).range(..=ceiling(limits::ARGS_MAX)))]
    pub args_max: u64,
    /// Bytes of all arguments of a task
    #[arg(long, env = "WASIPOOL_ARGS_BYTES_MAX", value_name = "SIZE", default_value = "128KiB", value_parser = |text: &str| at_most(text, ceiling(limits::ARGS_BYTES_MAX)))]
    pub args_bytes_max: u64,
    /// Variables of a task
    #[arg(long, env = "WASIPOOL_ENV_MAX", value_name = "N", default_value_t = ceiling(limits::ENV_MAX), value_parser = clap::value_parser!(u64).range(..=ceiling(limits::ENV_MAX)))]
    pub env_max: u64,
    /// Bytes of all variables of a task, names and values
    #[arg(long, env = "WASIPOOL_ENV_BYTES_MAX", value_name = "SIZE", default_value = "128KiB", value_parser = |text: &str| at_most(text, ceiling(limits::ENV_BYTES_MAX)))]
    pub env_bytes_max: u64,
    /// Bytes of input that are sent along with a task; what is larger becomes a
    /// blob
    #[arg(long, env = "WASIPOOL_INLINE_MAX", value_name = "SIZE", default_value = "32KiB", value_parser = |text: &str| at_most(text, ceiling(limits::INLINE_BYTES_MAX)))]
    pub inline_max: u64,
    /// Files and folders in an archive
    #[arg(long, env = "WASIPOOL_ARCHIVE_ENTRIES_MAX", value_name = "N", default_value_t = ceiling(limits::ARCHIVE_ENTRIES_MAX), value_parser = clap::value_parser!(u64).range(..=ceiling(limits::ARCHIVE_ENTRIES_MAX)))]
    pub archive_entries_max: u64,
    /// Bytes of an archive, unpacked
    #[arg(long, env = "WASIPOOL_ARCHIVE_BYTES_MAX", value_name = "SIZE", default_value = "1GiB", value_parser = |text: &str| at_most(text, limits::ARCHIVE_BYTES_MAX))]
    pub archive_bytes_max: u64,
    /// Unpacked bytes for each packed one
    #[arg(long, env = "WASIPOOL_ARCHIVE_RATIO_MAX", value_name = "N", default_value_t = limits::ARCHIVE_RATIO_MAX, value_parser = clap::value_parser!(u64).range(1..=limits::ARCHIVE_RATIO_MAX))]
    pub archive_ratio_max: u64,
    /// Bytes of the files that a task brings back
    #[arg(long, env = "WASIPOOL_ARTIFACT_BYTES_MAX", value_name = "SIZE", default_value = "64MiB", value_parser = |text: &str| at_most(text, limits::ARTIFACT_BYTES_MAX))]
    pub artifact_bytes_max: u64,
}

const fn ceiling(limit: usize) -> u64 {
    limit as u64
}

fn at_most(text: &str, limit: u64) -> Result<u64, String> {
    match size(text)? {
        bytes if bytes <= limit => Ok(bytes),
        bytes => Err(format!(
            "{bytes} bytes are over {limit}, which is all that providers take"
        )),
    }
}
