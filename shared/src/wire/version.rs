//! Protocol versions and how two ends agree on one.
//!
//! A hello starts with the range of versions that the provider speaks, in an
//! encoding that never changes (two varints), so that a broker can tell the
//! oldest provider to upgrade. The broker picks the highest version that both
//! speak. A version's messages never change: not a field, not an order. What
//! changes gets a new version, and a broker speaks at least the last two.

use serde::{Deserialize, Serialize};

/// The oldest version that this code speaks.
pub const MIN: u16 = 1;
/// The newest version that this code speaks.
pub const MAX: u16 = 1;

/// Versions that one end speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl VersionRange {
    /// What this code speaks.
    pub const OURS: Self = Self { min: MIN, max: MAX };

    /// The newest version that is in both ranges.
    #[must_use]
    pub fn agree(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_chosen() {
        let range = |min, max| VersionRange { min, max };
        assert_eq!(range(1, 3).agree(range(2, 5)), Some(3));
        assert_eq!(range(2, 5).agree(range(1, 3)), Some(3));
        assert_eq!(range(1, 1).agree(range(1, 1)), Some(1));
        assert_eq!(range(1, 2).agree(range(3, 4)), None);
        assert_eq!(
            range(5, 1).agree(range(1, 9)),
            None,
            "a range the wrong way round has nothing"
        );
    }
}
