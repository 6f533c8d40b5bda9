//! What a guest may take of the engine: memories and tables.

use wasmtime::ResourceLimiter;

use crate::engine::TABLE_ELEMENTS_MAX;

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
