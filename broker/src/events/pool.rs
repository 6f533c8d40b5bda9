//! `/v1/events`: providers, jobs and the whole in numbers.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, watch};
use wasipool_shared::api::events::{JobsEvent, ProvidersEvent, StatsEvent};
use wasipool_shared::api::{Job, PoolProvider};
use wasipool_shared::ids::{JobId, ProviderId};

use super::frame::{frame, number};
use super::ring::Ring;
use super::{Hub, TooManyStreams};

/// Jobs that are shown to who comes.
pub(super) const JOBS_SHOWN: usize = 50;

/// What is known of the pool, and who listens.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    news: watch::Sender<u64>,
    pub(super) listeners: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    ring: Ring,
    /// All parts of the state are there: it can be shown.
    complete: bool,
    providers: BTreeMap<ProviderId, PoolProvider>,
    more: u64,
    /// The newest ones.
    jobs: BTreeMap<JobId, Job>,
    stats: Option<StatsEvent>,
    /// The state as events, after that event.
    shown: Option<(u64, Bytes)>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            news: watch::Sender::new(0),
            listeners: watch::Sender::new(0),
        }
    }
}

impl Pool {
    /// Takes in what changed and tells all who listen.
    pub(super) fn providers(&self, boot: &str, event: ProvidersEvent) {
        let mut state = self.state.lock();
        if event.all {
            state.providers.clear();
        }
        for id in &event.left {
            state.providers.remove(id);
        }
        let frame = frame(boot, state.ring.next(), "providers", &event);
        state.more = event.more;
        let changed = event.changed.into_iter();
        state.providers.extend(changed.map(|seen| (seen.id, seen)));
        state.ring.push(frame);
    }

    /// The same of jobs.
    pub(super) fn jobs(&self, boot: &str, event: JobsEvent) {
        let mut state = self.state.lock();
        if event.all {
            state.jobs.clear();
        }
        for id in &event.removed {
            state.jobs.remove(id);
        }
        let frame = frame(boot, state.ring.next(), "jobs", &event);
        state
            .jobs
            .extend(event.changed.into_iter().map(|job| (job.id, job)));
        while state.jobs.len() > JOBS_SHOWN {
            state.jobs.pop_first();
        }
        state.ring.push(frame);
    }

    /// The same of the numbers, unless they are as they were.
    pub(super) fn stats(&self, boot: &str, event: StatsEvent) {
        let mut state = self.state.lock();
        let mut before = state.stats.clone();
        if let Some(before) = &mut before {
            before.stats.uptime_s = event.stats.uptime_s;
        }
        if before.as_ref() == Some(&event) {
            return;
        }
        let frame = frame(boot, state.ring.next(), "stats", &event);
        state.stats = Some(event);
        state.ring.push(frame);
    }

    /// Wakes all who listen; from now on the state can be shown.
    pub(super) fn publish(&self) {
        let mut state = self.state.lock();
        state.complete = true;
        let newest = state.ring.newest();
        drop(state);
        self.news
            .send_if_modified(|news| std::mem::replace(news, newest) != newest);
    }

    /// Nobody listens any more: what is known grows old.
    pub(super) fn forget(&self) {
        let mut state = self.state.lock();
        let mut ring = std::mem::take(&mut state.ring);
        ring.interrupt();
        *state = State {
            ring,
            ..State::default()
        };
    }

    /// The jobs that are shown to who comes.
    pub(super) fn job_ids(&self) -> Vec<JobId> {
        self.state.lock().jobs.keys().copied().collect()
    }
}

impl State {
    /// Everything as events. Only the last one has an id from which a client can
    /// go on: before it, the client doesn't know everything.
    fn show(&mut self, boot: &str) -> Bytes {
        let newest = self.ring.newest();
        if let Some((at, shown)) = &self.shown
            && *at == newest
        {
            return shown.clone();
        }
        let mut text = Vec::new();
        if let Some(stats) = &self.stats {
            text.extend(frame(boot, 0, "stats", stats));
        }
        let providers = ProvidersEvent {
            all: true,
            changed: self.providers.values().cloned().collect(),
            left: Vec::new(),
            more: self.more,
        };
        text.extend(frame(boot, 0, "providers", &providers));
        let jobs = JobsEvent {
            all: true,
            changed: self.jobs.values().rev().cloned().collect(),
            removed: Vec::new(),
        };
        text.extend(frame(boot, newest, "jobs", &jobs));
        let shown = Bytes::from(text);
        self.shown = Some((newest, shown.clone()));
        shown
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Listener {
    hub: Hub,
    /// The last event that was given out; none before the first.
    at: Option<u64>,
    news: watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
}

impl Hub {
    /// Listens to the pool, from after the event `last` on if that is still
    /// possible.
    ///
    /// # Errors
    /// If too many do.
    pub fn listen(&self, last: Option<&str>) -> Result<Listener, TooManyStreams> {
        let place = self.place()?;
        let pool = &self.0.pool;
        let news = pool.news.subscribe();
        pool.listeners.send_modify(|count| *count += 1);
        Ok(Listener {
            hub: self.clone(),
            at: last.and_then(|id| number(&self.0.boot, id)),
            news,
            _place: place,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let listeners = &self.hub.0.pool.listeners;
        listeners.send_modify(|count| *count -= 1);
    }
}

impl Listener {
    /// The next events; nothing when the broker stops.
    pub async fn next(&mut self) -> Option<Bytes> {
        let stopping = self.hub.0.stopping.clone();
        stopping.run_until_cancelled(self.event()).await
    }

    async fn event(&mut self) -> Bytes {
        loop {
            // Seen before reading: what comes meanwhile wakes the wait below.
            self.news.borrow_and_update();
            if let Some(event) = self.read() {
                return event;
            }
            if self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn read(&mut self) -> Option<Bytes> {
        let shared = &self.hub.0;
        let mut state = shared.pool.state.lock();
        if !state.complete {
            return None;
        }
        if let Some(at) = self.at
            && let Ok(next) = state.ring.after(at)
        {
            self.at = Some(at + u64::from(next.is_some()));
            return next;
        }
        let shown = state.show(&shared.boot);
        self.at = Some(state.ring.newest());
        Some(shown)
    }
}
