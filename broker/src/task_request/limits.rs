//! What one task may bring at most.

use wasipool_shared::archive::ArchiveLimits;
use wasipool_shared::limits::{
    ARGS_BYTES_MAX, ARGS_MAX, ARTIFACT_BYTES_MAX, ENV_BYTES_MAX, ENV_MAX, INLINE_BYTES_MAX,
};

use crate::config::TaskSettings;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct TaskRules {
    /// Arguments, `argv[0]` not counted.
    pub args: usize,
    /// Bytes of all arguments.
    pub args_bytes: usize,
    /// Variables.
    pub env: usize,
    /// Bytes of all names and values.
    pub env_bytes: usize,
    /// Bytes of payload that are sent along.
    pub inline_bytes: usize,
    /// What an archive may be.
    pub archive: ArchiveLimits,
    /// Bytes of all files that come back.
    pub artifact_bytes: u64,
}

impl Default for TaskRules {
    fn default() -> Self {
        Self {
            args: ARGS_MAX,
            args_bytes: ARGS_BYTES_MAX,
            env: ENV_MAX,
            env_bytes: ENV_BYTES_MAX,
            inline_bytes: INLINE_BYTES_MAX,
            archive: ArchiveLimits::default(),
            artifact_bytes: ARTIFACT_BYTES_MAX,
        }
    }
}

impl From<&TaskSettings> for TaskRules {
    fn from(settings: &TaskSettings) -> Self {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            args: count(settings.args_max),
            args_bytes: count(settings.args_bytes_max),
            env: count(settings.env_max),
            env_bytes: count(settings.env_bytes_max),
            inline_bytes: count(settings.inline_max),
            archive: ArchiveLimits {
                entries: count(settings.archive_entries_max),
                bytes: settings.archive_bytes_max,
                ratio: settings.archive_ratio_max,
            },
            artifact_bytes: settings.artifact_bytes_max,
        }
    }
}
