//! Times and sizes as operators write them.

use std::time::Duration;

/// A time, not too short to be meant.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write e.g. 500ms, 15s or 2m"))?;
    if duration < Duration::from_millis(100) {
        return Err("it must be at least 100ms".into());
    }
    Ok(duration)
}

/// A number of bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    wasipool_shared::api::parse_size(text).map_err(|error| error.to_string())
}
