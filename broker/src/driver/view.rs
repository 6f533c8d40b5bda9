//! What the API shows of the pool and of the driver.

use serde::Serialize;
use wasipool_shared::api;
use wasipool_shared::ids::ProviderId;

use super::live::LiveProvider;
use super::run::Driver;
use crate::clock::rfc3339;
use crate::core;

/// Where the tasks of a job that haven't ended are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobLoad {
    /// They wait for a provider.
    pub queued: u32,
    /// They are at one.
    pub running: u32,
}

impl Driver {
    pub(super) fn provider_views(&self) -> Vec<api::PoolProvider> {
        let now_ms = self.clock.now_ms();
        let view = |seen: core::ProviderView| {
            let live = self.providers.get(&seen.provider)?;
            Some(provider(&seen, live, now_ms))
        };
        self.core.providers().filter_map(view).collect()
    }

    pub(super) fn provider_view(&self, id: ProviderId) -> Option<api::PoolProvider> {
        let (seen, live) = (self.core.provider(id)?, self.providers.get(&id)?);
        Some(provider(&seen, live, self.clock.now_ms()))
    }

    pub(super) fn stats(&self) -> api::Stats {
        let totals = self.core.totals();
        api::Stats {
            providers: totals.providers as u64,
            slots: totals.slots,
            busy: self.core.providers().map(|seen| u64::from(seen.busy)).sum(),
            queued: totals.queued,
            running: totals.running,
            ended: self.ended,
            dropped: self.dropped,
            jobs: totals.jobs as u64,
            uptime_s: self.clock.precise_ms() / 1e3,
        }
    }
}

fn provider(seen: &core::ProviderView, live: &LiveProvider, now_ms: u64) -> api::PoolProvider {
    let cooled_down = seen
        .cooled_down_until_ms
        .is_some_and(|until_ms| until_ms > now_ms);
    let state = match () {
        () if seen.draining => "draining",
        () if cooled_down => "cooled-down",
        () if seen.capacity.slots == 0 => "paused",
        () => "ready",
    };
    api::PoolProvider {
        id: seen.provider,
        name: live.label.name.clone(),
        kind: seen.kind,
        agent: live.agent.clone(),
        state: state.to_owned(),
        slots: seen.capacity.slots,
        busy: seen.busy,
        queued: seen.queued,
        memory: seen.capacity.memory_bytes,
        speed: seen.speed,
        features: seen.capacity.features.names().map(str::to_owned).collect(),
        round_trip_ms: seen.round_trip_us.map(|micros| f64::from(micros) / 1e3),
        tasks_done: seen.tasks_done,
        failures: seen.failures,
        connected: rfc3339(live.joined_unix_ms),
        modules: live.modules.iter().map(ToString::to_string).collect(),
    }
}
