//! What has changed since it was last told to those who watch.
//!
//! Costs nothing while nobody watches. While somebody does, each change is noted
//! by name only; what the names stand for is looked up when it is told, a few
//! times a second.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wasipool_shared::api;
use wasipool_shared::ids::{JobId, ProviderId, TaskId};

use super::run::Driver;
use super::states::TaskPhase;
use super::view::JobLoad;

/// Time between two updates of the pool.
const POOL_EVERY: Duration = Duration::from_millis(500);
/// Time between two looks at the whole in numbers.
const STATS_EVERY: Duration = Duration::from_secs(1);
/// How long they are looked at after the last change: rates fall slowly.
const STATS_AFTER: Duration = Duration::from_secs(8);
/// When an update is tried again that nobody was ready to take.
const RETRY: Duration = Duration::from_millis(50);
/// Providers that are shown at most.
const PROVIDERS_SHOWN: usize = 2_000;
/// Changed jobs that are told one by one; beyond, the newest are read anew.
const JOBS_TOLD: usize = 200;

/// What has changed in the pool.
#[derive(Debug, Default)]
pub struct PoolUpdate {
    /// This is everything: what was known before is forgotten.
    pub all: bool,
    /// New providers and those that changed.
    pub providers: Vec<api::PoolProvider>,
    /// Those that are gone.
    pub left: Vec<ProviderId>,
    /// How many there are beyond those that are shown.
    pub more: u64,
    /// Jobs that changed; without a load if they have ended.
    pub jobs: Vec<(JobId, Option<JobLoad>)>,
    /// More jobs changed than are told one by one.
    pub many_jobs: bool,
    /// The whole in numbers, now and then.
    pub stats: Option<api::Stats>,
}

/// What one who watches the pool hasn't been told yet.
#[derive(Debug)]
pub(super) struct PoolWatch {
    updates: mpsc::Sender<PoolUpdate>,
    shown: HashSet<ProviderId>,
    hidden: BTreeSet<ProviderId>,
    all: bool,
    changed: HashSet<ProviderId>,
    left: Vec<ProviderId>,
    jobs: HashSet<JobId>,
    many_jobs: bool,
    next: Instant,
    next_stats: Instant,
    stats_until: Instant,
}

impl PoolWatch {
    /// A watch that tells everything first.
    pub(super) fn new(
        now: Instant,
        providers: impl Iterator<Item = ProviderId>,
    ) -> (Self, mpsc::Receiver<PoolUpdate>) {
        let (updates, receiver) = mpsc::channel(1);
        let mut hidden: BTreeSet<_> = providers.collect();
        let mut shown = HashSet::new();
        while shown.len() < PROVIDERS_SHOWN
            && let Some(first) = hidden.pop_first()
        {
            shown.insert(first);
        }
        let watch = Self {
            updates,
            changed: shown.clone(),
            shown,
            hidden,
            all: true,
            left: Vec::new(),
            jobs: HashSet::new(),
            many_jobs: false,
            next: now,
            next_stats: now,
            stats_until: now + STATS_AFTER,
        };
        (watch, receiver)
    }

    pub(super) fn joined(&mut self, provider: ProviderId) {
        if self.shown.len() < PROVIDERS_SHOWN {
            self.shown.insert(provider);
            self.changed.insert(provider);
        } else {
            self.hidden.insert(provider);
        }
    }

    pub(super) fn changed(&mut self, provider: ProviderId) {
        if self.shown.contains(&provider) {
            self.changed.insert(provider);
        }
    }

    pub(super) fn left(&mut self, provider: ProviderId) {
        if !self.shown.remove(&provider) {
            self.hidden.remove(&provider);
            return;
        }
        self.changed.remove(&provider);
        self.left.push(provider);
        if let Some(next) = self.hidden.pop_first() {
            self.shown.insert(next);
            self.changed.insert(next);
        }
        // Nobody takes the updates: then all is told once somebody does.
        if self.left.len() > PROVIDERS_SHOWN {
            self.all = true;
            self.left.clear();
            self.changed = self.shown.clone();
        }
    }

    pub(super) fn job(&mut self, job: JobId) {
        if !self.many_jobs && self.jobs.insert(job) && self.jobs.len() > JOBS_TOLD {
            self.many_jobs = true;
            self.jobs.clear();
        }
    }

    /// Something happened.
    pub(super) fn active(&mut self, now: Instant) {
        self.stats_until = now + STATS_AFTER;
    }

    fn has_news(&self) -> bool {
        let Self {
            all,
            many_jobs,
            changed,
            left,
            jobs,
            ..
        } = self;
        *all || *many_jobs || !(changed.is_empty() && left.is_empty() && jobs.is_empty())
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let news = self.has_news().then_some(self.next);
        let stats = (self.next_stats < self.stats_until).then_some(self.next_stats.max(self.next));
        news.into_iter().chain(stats).min()
    }

    /// What is to be told now, if anything; false if nobody listens any more.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        provider: impl Fn(ProviderId) -> Option<api::PoolProvider>,
        load: impl Fn(JobId) -> Option<JobLoad>,
        stats: impl FnOnce() -> api::Stats,
    ) -> bool {
        if self.due().is_none_or(|due| due > now) {
            return !self.updates.is_closed();
        }
        let permit = match self.updates.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Closed(())) => return false,
            Err(mpsc::error::TrySendError::Full(())) => {
                self.next = now + RETRY;
                return true;
            }
        };
        self.next = now + POOL_EVERY;
        let wants_stats = self.next_stats <= now && self.next_stats < self.stats_until;
        if wants_stats {
            self.next_stats = now + STATS_EVERY;
        }
        let providers: Vec<_> = self.changed.drain().filter_map(provider).collect();
        // That state ends by itself.
        let cooled_down = providers.iter().filter(|seen| seen.state == "cooled-down");
        self.changed.extend(cooled_down.map(|seen| seen.id));
        permit.send(PoolUpdate {
            all: std::mem::take(&mut self.all),
            providers,
            left: std::mem::take(&mut self.left),
            more: self.hidden.len() as u64,
            jobs: self.jobs.drain().map(|job| (job, load(job))).collect(),
            many_jobs: std::mem::take(&mut self.many_jobs),
            stats: wants_stats.then(stats),
        });
        true
    }
}

impl Driver {
    /// When something is to be told.
    pub(super) fn watch_due(&self) -> Option<Instant> {
        let pool = self.pool_watch.as_ref().and_then(PoolWatch::due);
        pool.into_iter().chain(self.feeds.due()).min()
    }

    pub(super) fn tell_watchers(&mut self) {
        let now = Instant::now();
        self.feeds.tell(now, &self.jobs);
        if let Some(mut watch) = self.pool_watch.take() {
            let listened = watch.tell(
                now,
                |provider| self.provider_view(provider),
                |job| self.job_load(job),
                || self.stats(),
            );
            self.pool_watch = listened.then_some(watch);
        }
    }

    pub(super) fn job_load(&self, job: JobId) -> Option<JobLoad> {
        self.core.counts(job).map(|counts| JobLoad {
            queued: counts.queued,
            running: counts.running,
        })
    }

    /// Notes what a task does now, for those who ask or watch.
    pub(super) fn set_phase(&mut self, task: TaskId, phase: TaskPhase) {
        let Some(job) = self.jobs.get_mut(&task.job) else {
            return;
        };
        if !job.phases.set(task.index, phase) || job.alone {
            return;
        }
        self.feeds.task(task.job, task.index);
        if let Some(watch) = &mut self.pool_watch {
            watch.job(task.job);
        }
    }

    pub(super) fn provider_changed(&mut self, provider: ProviderId) {
        if let Some(watch) = &mut self.pool_watch {
            watch.changed(provider);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTY: ProviderId = ProviderId(u128::MAX);

    fn provider(id: ProviderId) -> Option<api::PoolProvider> {
        Some(api::PoolProvider {
            id,
            name: String::new(),
            kind: wasipool_shared::capacity::ProviderKind::Native,
            transport: wasipool_shared::transport::TransportKind::WebSocket,
            agent: String::new(),
            state: if id == FAULTY { "cooled-down" } else { "ready" }.to_owned(),
            slots: 1,
            busy: 0,
            queued: 0,
            memory: 0,
            speed: 1_000,
            features: Vec::new(),
            round_trip_ms: None,
            tasks_done: 0,
            failures: 0,
            reason: None,
            trust: None,
            connected: String::new(),
            modules: Vec::new(),
        })
    }

    /// A watch that is told at a time of the test's own.
    struct Watch {
        watch: PoolWatch,
        updates: mpsc::Receiver<PoolUpdate>,
        now: Instant,
    }

    impl Watch {
        fn new(providers: u128) -> Self {
            let now = Instant::now();
            let (mut watch, updates) = PoolWatch::new(now, (0..providers).map(ProviderId));
            watch.next_stats = watch.stats_until;
            Self {
                watch,
                updates,
                now,
            }
        }

        fn tell(&mut self) -> bool {
            let stats = || unreachable!("they are not due");
            self.watch.tell(self.now, provider, |_| None, stats)
        }

        /// What is told some time later.
        fn later(&mut self) -> PoolUpdate {
            self.now += POOL_EVERY;
            assert!(self.tell());
            self.updates.try_recv().unwrap()
        }
    }

    #[test]
    fn all_comes_first_then_what_changed() {
        let mut test = Watch::new(3);
        let first = test.later();
        assert!(first.all);
        assert_eq!((first.providers.len(), first.more), (3, 0));
        assert_eq!(test.watch.due(), None);
        test.watch.changed(ProviderId(2));
        test.watch.left(ProviderId(1));
        test.watch.joined(FAULTY);
        assert!(test.tell());
        assert!(test.updates.try_recv().is_err(), "too early");
        let update = test.later();
        assert!(!update.all);
        assert_eq!(update.providers.len(), 2);
        assert_eq!(update.left, [ProviderId(1)]);
        let update = test.later();
        let cooled_down = &update.providers[0];
        assert_eq!(cooled_down.id, FAULTY, "its state ends by itself");
        let (_, updates) = mpsc::channel(1);
        test.updates = updates;
        assert!(!test.tell(), "nobody listens");
    }

    #[test]
    fn who_takes_nothing_costs_no_more() {
        let mut test = Watch::new(2);
        test.now += POOL_EVERY;
        assert!(test.tell());
        test.watch.changed(ProviderId(1));
        test.now += POOL_EVERY;
        assert!(test.tell(), "the first update is still there");
        assert!(test.updates.try_recv().unwrap().all);
        assert!(test.updates.try_recv().is_err());
        assert_eq!(test.later().providers.len(), 1, "nothing is lost by that");
    }

    #[test]
    fn what_is_noted_is_bounded() {
        let shown = PROVIDERS_SHOWN as u128;
        let mut test = Watch::new(shown + 2);
        let first = test.later();
        assert_eq!((first.providers.len(), first.more), (PROVIDERS_SHOWN, 2));
        test.watch.changed(ProviderId(shown));
        assert_eq!(test.watch.due(), None, "it isn't shown");
        test.watch.left(ProviderId(0));
        for job in 0..=JOBS_TOLD as u128 {
            test.watch.job(JobId(job));
        }
        let update = test.later();
        let next = &update.providers[0];
        assert_eq!(next.id, ProviderId(shown), "takes the place of who left");
        assert!(update.many_jobs && update.jobs.is_empty());
        assert_eq!(update.more, 1);
        for provider in 1..shown + 2 {
            test.watch.left(ProviderId(provider));
            test.watch.joined(ProviderId(shown * 2 + provider));
        }
        let update = test.later();
        assert!(update.all && update.left.len() < 3);
        assert_eq!(update.providers.len(), PROVIDERS_SHOWN);
    }
}
