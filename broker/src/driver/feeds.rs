//! The feeds of all jobs that are watched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasipool_shared::ids::JobId;

use super::feed::JobFeed;
use super::live::LiveJob;

/// Time between two changes of a job's feed.
const EVERY: Duration = Duration::from_millis(250);
/// How long a feed is kept that nobody reads.
const KEPT: Duration = Duration::from_secs(10);

/// The feeds of jobs that are watched.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    jobs: HashMap<JobId, Watched>,
    /// Some feed has news since the last look.
    news: bool,
    next: Option<Instant>,
    number: u64,
}

#[derive(Debug)]
struct Watched {
    feed: Arc<JobFeed>,
    changed: Vec<u32>,
    last_read: Instant,
}

impl Feeds {
    /// The feed of a job.
    pub(super) fn watch(&mut self, job: JobId, live: &LiveJob) -> Arc<JobFeed> {
        self.forget_unread();
        let number = &mut self.number;
        let watched = self.jobs.entry(job).or_insert_with(|| {
            *number += 1;
            Watched {
                feed: Arc::new(JobFeed::new(live.phases.clone(), *number)),
                changed: Vec::new(),
                last_read: Instant::now(),
            }
        });
        watched.feed.clone()
    }

    /// A task does something else now.
    pub(super) fn task(&mut self, job: JobId, index: u32) {
        if self.jobs.is_empty() {
            return;
        }
        if let Some(watched) = self.jobs.get_mut(&job) {
            watched.changed.push(index);
            self.news = true;
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.news.then(|| self.next.unwrap_or_else(Instant::now))
    }

    /// Brings the feeds up to date, if it is time.
    pub(super) fn tell(&mut self, now: Instant, jobs: &HashMap<JobId, LiveJob>) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        self.news = false;
        self.next = Some(now + EVERY);
        for (job, watched) in &mut self.jobs {
            if let (Some(live), false) = (jobs.get(job), watched.changed.is_empty()) {
                self.number += 1;
                let Watched { feed, changed, .. } = watched;
                feed.apply(self.number, changed, &live.phases, false);
            }
        }
        self.forget_unread();
    }

    /// A job has ended: its feed says so.
    pub(super) fn end(&mut self, job: JobId, live: &LiveJob) {
        if let Some(mut watched) = self.jobs.remove(&job) {
            self.number += 1;
            watched
                .feed
                .apply(self.number, &mut watched.changed, &live.phases, true);
        }
    }

    fn forget_unread(&mut self) {
        let now = Instant::now();
        self.jobs.retain(|_, watched| {
            if Arc::strong_count(&watched.feed) > 1 {
                watched.last_read = now;
            }
            now.duration_since(watched.last_read) < KEPT
        });
    }
}
