//! Room for the files of all guests of a provider together: they are in its
//! memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts the files of all guests. Each has a limit of its own, and gets an error
/// there; that all of them together have too much is no guest's fault, so the
/// task of the one that asked last is tried elsewhere.
#[derive(Debug)]
pub struct FilesBudget {
    bytes_max: u64,
    bytes: AtomicU64,
}

impl FilesBudget {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: AtomicU64::new(0),
        }
    }
}

/// What one guest has of it; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<FilesBudget>,
    bytes: u64,
}

impl Share {
    pub(super) fn none(budget: Arc<FilesBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Makes it this much; false if that is more than there is.
    pub(super) fn resize(&mut self, bytes: u64) -> bool {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes <= before {
            self.budget.bytes.fetch_sub(before - bytes, Relaxed);
            return true;
        }
        let growth = bytes - before;
        let others = self.budget.bytes.fetch_add(growth, Relaxed);
        others + growth <= self.budget.bytes_max
    }

    /// Whether it has this size already, as after most calls.
    pub(super) fn is(&self, bytes: u64) -> bool {
        self.bytes == bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_come_back() {
        let budget = Arc::new(FilesBudget::new(100));
        let mut one = Share::none(Arc::clone(&budget));
        let mut two = Share::none(Arc::clone(&budget));
        assert!(one.resize(60) && two.resize(40));
        assert!(!two.resize(41));
        assert!(one.resize(59) && one.is(59));
        assert!(two.resize(41));
        drop(one);
        assert!(two.resize(100));
        drop(two);
        assert_eq!(budget.bytes.load(Relaxed), 0);
    }
}
