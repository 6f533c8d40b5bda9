//! What the API shows of the pool and of the driver.

use serde::Serialize;
use wasipool_shared::api;
use wasipool_shared::ids::{ProviderId, TaskId};

use super::live::{LiveProvider, Try, TryEnd};
use super::record;
use super::run::Driver;
use super::states::TaskPhase;
use crate::clock::rfc3339;
use crate::core;
use crate::store::{ProviderRef, TraceStep};

/// Where the tasks of a job that haven't ended are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobLoad {
    /// They wait for a provider.
    pub queued: u32,
    /// They are at one.
    pub running: u32,
}

/// A task that hasn't ended, as it is now.
#[derive(Debug, Clone)]
pub struct OpenTask {
    /// What it does.
    pub phase: TaskPhase,
    /// How often it was tried.
    pub attempts: u32,
    /// Who runs it.
    pub provider: Option<ProviderRef>,
    /// What happened to it until now.
    pub steps: Vec<TraceStep>,
}

impl Driver {
    pub(super) fn open_task(&self, task: TaskId) -> Option<OpenTask> {
        let job = self.jobs.get(&task.job)?;
        let phase = job.phases.get(task.index)?;
        if let TaskPhase::Ended(_) = phase {
            return None;
        }
        let tries = self.tries.of(task);
        let returned = |known: &&Try| matches!(known.end, Some((_, TryEnd::Returned)));
        let tried = tries.len() - tries.iter().filter(returned).count();
        let running = tries.iter().rfind(|known| known.end.is_none());
        Some(OpenTask {
            phase,
            attempts: u32::try_from(tried).unwrap_or(u32::MAX),
            provider: running.map(record::provider_ref),
            steps: record::steps(self.clock, task.job, job.created_ms, tries),
        })
    }

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
            ephemeral: self.store.is_ephemeral(),
            stored_bytes: self.store.stored_bytes(),
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
        transport: live.transport,
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
        reason: seen
            .cooled_down_reason
            .as_deref()
            .filter(|_| cooled_down)
            .map(str::to_owned),
        trust: seen.standing.map(|standing| standing.as_str().to_owned()),
        connected: rfc3339(live.joined_unix_ms),
        modules: live.modules.iter().map(ToString::to_string).collect(),
    }
}
