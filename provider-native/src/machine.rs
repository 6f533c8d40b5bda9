//! What the machine has: cores, memory, a name, a place for caches.

use std::fs;
use std::path::PathBuf;
use std::thread;

use wasipool_shared::limits::{GIB, GUEST_FILES_BYTES_MAX, SLOTS_MAX};

/// One slot for each core that this process may use.
#[must_use]
pub fn slots() -> u16 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores).unwrap_or(u16::MAX).min(SLOTS_MAX)
}

/// Half of the memory that this process may use.
#[must_use]
pub fn half_of_memory() -> u64 {
    let total = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| total_of(&text));
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limit = limits
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    total.unwrap_or(2 * GIB).min(limit.unwrap_or(u64::MAX)) / 2
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// What the files of all guests may take: a quarter of the memory, or as much as
/// one guest may have.
#[must_use]
pub fn memory_for_files() -> u64 {
    (half_of_memory() / 2).max(GUEST_FILES_BYTES_MAX)
}

/// What the machine calls itself.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    if name.is_empty() {
        "native".to_owned()
    } else {
        name.into_owned()
    }
}

/// Where a user's programs keep what they can make again.
#[must_use]
pub fn cache() -> PathBuf {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("wasipool")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        let text = "MemTotal:       24581234 kB\nMemFree:        1 kB\n";
        assert_eq!(total_of(text), Some(24_581_234 * 1024));
        assert_eq!(total_of("MemFree: 1 kB"), None);
        assert!(half_of_memory() > 0 && slots() > 0 && !host_name().is_empty());
    }
}
