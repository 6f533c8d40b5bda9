//! Whatever is given as an archive unpacks within its limits or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wasipool_shared::archive::{ArchiveLimits, Entry, unpack};

const LIMITS: ArchiveLimits = ArchiveLimits {
    entries: 100,
    bytes: 1 << 20,
    ratio: 100,
};

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = unpack(data, LIMITS) else {
        return;
    };
    assert!(tree.len() <= LIMITS.entries);
    let mut bytes = 0;
    for (path, entry) in tree {
        assert!(!path.is_empty() && !path.starts_with('/'), "{path:?}");
        assert!(
            path.split('/').all(|part| !matches!(part, "" | "." | "..")),
            "{path:?}"
        );
        if let Entry::File(content) = entry {
            bytes += content.len() as u64;
        }
    }
    assert!(bytes <= LIMITS.bytes);
});
