//! From the driver's updates to events.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use wasipool_shared::api::Job;
use wasipool_shared::api::events::{JobsEvent, ProvidersEvent, StatsEvent};
use wasipool_shared::ids::JobId;

use super::Shared;
use super::pool::JOBS_SHOWN;
use super::rate::Rate;
use crate::driver::JobLoad;
use crate::driver::watch::PoolUpdate;
use crate::store::{JobFilter, JobRecord};
use crate::view;

/// How long events go on that nobody listens to: a page that is loaded again
/// continues where it was.
const LINGER: Duration = Duration::from_secs(10);
/// When jobs are looked at again that the driver has ended and the store hasn't
/// yet.
const AGAIN: Duration = Duration::from_millis(250);
/// Time between two looks for jobs that are no longer kept.
const KEPT: Duration = Duration::from_secs(10);

/// Runs as long as there is a driver.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut listeners = shared.pool.listeners.subscribe();
    loop {
        if listeners.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        let Some(updates) = shared.driver.watch_pool().await else {
            return;
        };
        let mut pump = Pump {
            shared: &shared,
            rate: Rate::default(),
            ending: HashSet::new(),
            look_at: Instant::now() + KEPT,
        };
        pump.run(updates).await;
        shared.pool.forget();
    }
}

struct Pump<'a> {
    shared: &'a Shared,
    rate: Rate,
    /// Jobs that have ended, but not yet in the store.
    ending: HashSet<JobId>,
    look_at: Instant,
}

impl Pump<'_> {
    /// Runs until nobody has listened for a while.
    async fn run(&mut self, mut updates: mpsc::Receiver<PoolUpdate>) {
        let mut heard = Instant::now();
        loop {
            let wait = if self.ending.is_empty() {
                LINGER
            } else {
                AGAIN
            };
            let until = (Instant::now() + wait).min(self.look_at);
            let update = match timeout_at(until, updates.recv()).await {
                Ok(None) => return,
                Ok(Some(update)) => Some(update),
                Err(_) => None,
            };
            let now = Instant::now();
            if *self.shared.pool.listeners.borrow() > 0 {
                heard = now;
            } else if now.duration_since(heard) > LINGER {
                return;
            }
            match update {
                Some(update) => self.take(update).await,
                None => self.jobs(Vec::new(), false).await,
            }
            self.shared.pool.publish();
        }
    }

    async fn take(&mut self, update: PoolUpdate) {
        let boot = &self.shared.boot;
        if let Some(stats) = update.stats {
            let tasks_per_second = self.rate.note(stats.uptime_s, stats.ended);
            let event = StatsEvent {
                stats,
                tasks_per_second,
            };
            self.shared.pool.stats(boot, event);
        }
        if update.all || !update.providers.is_empty() || !update.left.is_empty() {
            let event = ProvidersEvent {
                all: update.all,
                changed: update.providers,
                left: update.left,
                more: update.more,
            };
            self.shared.pool.providers(boot, event);
        }
        self.jobs(update.jobs, update.all || update.many_jobs).await;
    }

    async fn jobs(&mut self, changed: Vec<(JobId, Option<JobLoad>)>, all: bool) {
        let event = if all {
            self.newest().await
        } else {
            self.changed(changed).await
        };
        if event.all || !event.changed.is_empty() || !event.removed.is_empty() {
            self.shared.pool.jobs(&self.shared.boot, event);
        }
    }

    async fn newest(&mut self) -> JobsEvent {
        let jobs = self.shared.store.jobs();
        let page = jobs.list(&JobFilter::default(), None, JOBS_SHOWN).await;
        self.ending.clear();
        let mut changed = Vec::with_capacity(page.items.len());
        for record in page.items {
            let load = match record.ended() {
                Some(_) => None,
                None => self.shared.driver.job_load(record.id).await,
            };
            changed.push(self.job(&record, load));
        }
        JobsEvent {
            all: true,
            changed,
            removed: Vec::new(),
        }
    }

    async fn changed(&mut self, mut changed: Vec<(JobId, Option<JobLoad>)>) -> JobsEvent {
        changed.extend(self.ending.drain().map(|job| (job, None)));
        let mut event = JobsEvent::default();
        for (id, load) in changed {
            match self.shared.store.jobs().job(id).await {
                Some(record) => event.changed.push(self.job(&record, load)),
                None => event.removed.push(id),
            }
        }
        let now = Instant::now();
        if now >= self.look_at {
            self.look_at = now + KEPT;
            for id in self.shared.pool.job_ids() {
                if self.shared.store.jobs().job(id).await.is_none() {
                    event.removed.push(id);
                }
            }
        }
        event
    }

    fn job(&mut self, record: &JobRecord, load: Option<JobLoad>) -> Job {
        if load.is_none() && record.ended().is_none() {
            self.ending.insert(record.id);
        }
        view::job(record, load, self.shared.clock.unix_ms())
    }
}
