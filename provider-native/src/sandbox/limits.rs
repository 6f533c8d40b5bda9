//! What a guest may take: memory, tables, room for files.

use std::path::PathBuf;

use wasipool_shared::limits::GIB;
use wasmtime::ResourceLimiter;

use super::root;
use crate::engine::TABLE_ELEMENTS_MAX;

/// Bytes that a guest's files may take up, those that it was given included,
/// unless [`Runner::limit_files`](super::Runner::limit_files) says otherwise.
pub(super) const FILES_BYTES_MAX: u64 = 2 * GIB;
/// What making a file, folder or link costs besides its content.
pub(super) const FILE_COST_BYTES: u64 = 4096;

/// Watches a guest's linear memories and tables.
#[derive(Debug)]
pub(super) struct Limiter {
    bytes_max: u64,
    bytes: u64,
    /// Of the growth that was allowed last: it may still fail.
    last_growth: u64,
    /// Whether the guest has asked for more than it may have.
    pub(super) denied: bool,
}

impl Limiter {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            last_growth: 0,
            denied: false,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        if self.bytes.saturating_add(growth) > self.bytes_max {
            self.denied = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The module's own limit: it knew.
            return Ok(false);
        }
        self.bytes += growth;
        self.last_growth = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.bytes = self
            .bytes
            .saturating_sub(core::mem::take(&mut self.last_growth));
        Ok(())
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= maximum.unwrap_or(usize::MAX).min(TABLE_ELEMENTS_MAX))
    }
}

/// Watches how much room a guest's files take.
///
/// Writes are counted until they could have filled the room; only then the
/// files are measured, because what was written may have been overwritten or
/// removed since.
#[derive(Debug)]
pub(super) struct FileRoom {
    root: PathBuf,
    bytes_max: u64,
    left: u64,
}

impl FileRoom {
    pub(super) fn new(root: PathBuf, bytes_max: u64) -> Self {
        // Nothing is known yet: the first write measures.
        Self {
            root,
            bytes_max,
            left: 0,
        }
    }

    /// Takes room for that many bytes, if there is any.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        if bytes > self.left {
            self.left = self.bytes_max.saturating_sub(root::measure(&self.root));
        }
        let enough = bytes <= self.left;
        if enough {
            self.left -= bytes;
        }
        enough
    }
}
