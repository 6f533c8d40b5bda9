//! `/v1/jobs/{id}/events`: one job and its tasks.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};
use wasipool_shared::api;
use wasipool_shared::api::events::{TaskRun, TasksEvent};
use wasipool_shared::ids::JobId;

use super::frame::{frame, number};
use super::{Hub, TooManyStreams};
use crate::driver::TaskPhase;
use crate::driver::feed::JobFeed;
use crate::driver::states::Run;
use crate::view;

/// Time between two events of the same name.
const EVERY: Duration = Duration::from_millis(250);
/// Runs in one event, roughly.
const RUNS_AT_ONCE: usize = 4_096;
/// Tasks of a job that has ended that are read at a time.
const STATES_AT_ONCE: usize = 65_536;

/// One who watches a job.
#[derive(Debug)]
pub struct JobListener {
    hub: Hub,
    id: JobId,
    /// What its tasks do; none once it has ended.
    feed: Option<Arc<JobFeed>>,
    /// Tells of the feed's changes.
    news: Option<watch::Receiver<u64>>,
    /// Tells of changes in the store.
    stored: watch::Receiver<u64>,
    step: Step,
    /// The last change of the feed that was told.
    at: u64,
    /// The job as it was told last.
    told: Option<api::Job>,
    next: Instant,
    /// Events that are next.
    ready: VecDeque<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// What is told next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// All tasks, from this one on.
    All(u32),
    /// What changes.
    Changes,
    /// Nothing: that was all.
    Over,
}

impl Hub {
    /// Watches a job, from after the event `last` on if that is still possible;
    /// nothing if there is no such job.
    ///
    /// # Errors
    /// If too many watch.
    pub async fn watch(
        &self,
        id: JobId,
        last: Option<&str>,
    ) -> Result<Option<JobListener>, TooManyStreams> {
        let place = self.place()?;
        let Some(stored) = self.0.store.jobs().subscribe(id) else {
            return Ok(None);
        };
        let feed = self.0.driver.watch_job(id).await;
        let last = last.and_then(|id| number(&self.0.boot, id));
        let going_on = last.filter(|number| {
            let since = feed.as_ref().map(|feed| feed.since(*number, 0));
            since.flatten().is_some()
        });
        let at = going_on.or_else(|| feed.as_ref().map(|feed| feed.number()));
        Ok(Some(JobListener {
            hub: self.clone(),
            id,
            news: feed.as_ref().map(|feed| feed.subscribe()),
            feed,
            stored,
            step: match going_on {
                Some(_) => Step::Changes,
                None => Step::All(0),
            },
            at: at.unwrap_or_default(),
            told: None,
            next: Instant::now(),
            ready: VecDeque::new(),
            _place: place,
        }))
    }
}

impl JobListener {
    /// The next event; nothing after the last one and when the broker stops.
    pub async fn next(&mut self) -> Option<Bytes> {
        let stopping = self.hub.0.stopping.clone();
        stopping.run_until_cancelled(self.event()).await.flatten()
    }

    async fn event(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.step {
                Step::Over => return None,
                Step::All(from) => {
                    let ended = from > 0 || self.tell_job().await;
                    if ended || self.find_feed().await {
                        self.tell_all(from).await;
                    } else {
                        tokio::time::sleep(EVERY).await;
                    }
                }
                Step::Changes => {
                    sleep_until(self.next).await;
                    self.next = Instant::now() + EVERY;
                    // Seen before reading: what comes meanwhile wakes the wait below.
                    self.stored.borrow_and_update();
                    if let Some(news) = &mut self.news {
                        news.borrow_and_update();
                    }
                    self.tell_changes().await;
                    if self.ready.is_empty() && self.step == Step::Changes {
                        self.wait().await;
                    }
                }
            }
        }
    }

    /// Whether the feed is there. The driver knows a job a moment later than the
    /// store, and forgets it a moment earlier.
    async fn find_feed(&mut self) -> bool {
        if self.feed.is_none()
            && let Some(feed) = self.hub.0.driver.watch_job(self.id).await
        {
            self.at = feed.number();
            self.news = Some(feed.subscribe());
            self.feed = Some(feed);
        }
        self.feed.is_some()
    }

    /// Until something changes in the store or the feed.
    async fn wait(&mut self) {
        let news = async {
            let heard = match &mut self.news {
                Some(news) => news.changed().await,
                None => std::future::pending().await,
            };
            if heard.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = news => {}
            // The store has forgotten the job: looking at it tells.
            _ = self.stored.changed() => {}
        }
    }

    /// Tells the job, if it isn't as it was; the end if it has ended.
    async fn tell_job(&mut self) -> bool {
        let shared = &self.hub.0;
        let Some(record) = shared.store.jobs().job(self.id).await else {
            self.step = Step::Over;
            return true;
        };
        let ended = record.ended().is_some();
        let load = match ended {
            true => None,
            false => shared.driver.job_load(self.id).await,
        };
        let job = view::job(&record, load, shared.clock.unix_ms());
        if !self.told.as_ref().is_some_and(|told| same(told, &job)) {
            let event = frame(&shared.boot, self.at, "job", &job);
            self.ready.push_back(event);
            self.told = Some(job);
        }
        ended
    }

    async fn tell_all(&mut self, from: u32) {
        let (runs, next) = match &self.feed {
            Some(feed) => feed.runs(from, RUNS_AT_ONCE),
            None => self.stored_runs(from).await,
        };
        // Who breaks off before the last part has to begin again.
        let number = if next.is_some() { 0 } else { self.at };
        self.tell_tasks(number, from == 0, &runs);
        if self.step != Step::Over {
            self.step = next.map_or(Step::Changes, Step::All);
        }
    }

    async fn stored_runs(&self, from: u32) -> (Vec<Run>, Option<u32>) {
        let jobs = self.hub.0.store.jobs();
        let states = jobs.states(self.id, from, STATES_AT_ONCE).await;
        let mut runs: Vec<Run> = Vec::new();
        let mut index = from;
        for state in &states {
            let phase = state.map_or(TaskPhase::Queued, TaskPhase::Ended);
            let full = runs.len() == RUNS_AT_ONCE;
            match runs.last_mut() {
                Some(last) if last.phase == phase => last.count += 1,
                _ if full => return (runs, Some(index)),
                _ => runs.push(Run {
                    from: index,
                    count: 1,
                    phase,
                }),
            }
            index += 1;
        }
        (runs, (states.len() == STATES_AT_ONCE).then_some(index))
    }

    fn tell_tasks(&mut self, number: u64, all: bool, runs: &[Run]) {
        if runs.is_empty() && !all {
            return;
        }
        let run = |run: &Run| TaskRun(run.from, run.count, Cow::Borrowed(run.phase.as_str()));
        let event = TasksEvent {
            all,
            runs: runs.iter().map(run).collect(),
        };
        let event = frame(&self.hub.0.boot, number, "tasks", &event);
        self.ready.push_back(event);
    }

    async fn tell_changes(&mut self) {
        // Looked at first: what comes after is in the feed then.
        let over = self.feed.as_ref().is_none_or(|feed| feed.ended());
        if let Some(feed) = &self.feed {
            match feed.since(self.at, RUNS_AT_ONCE) {
                None => {
                    self.at = feed.number();
                    self.step = Step::All(0);
                    return;
                }
                Some(changes) => {
                    let more = changes.to < feed.number();
                    self.at = changes.to;
                    self.tell_tasks(changes.to, false, &changes.runs);
                    if more {
                        self.next = Instant::now();
                        return;
                    }
                }
            }
        }
        // The store may be a moment behind the driver.
        if self.tell_job().await && over && self.step != Step::Over {
            if let Some(job) = &self.told {
                let event = frame(&self.hub.0.boot, self.at, "end", job);
                self.ready.push_back(event);
            }
            self.step = Step::Over;
        }
    }
}

/// Whether nothing but the time has changed.
fn same(before: &api::Job, now: &api::Job) -> bool {
    (&before.state, &before.counts, &before.ended) == (&now.state, &now.counts, &now.ended)
}
