//! The loop: commands in, the core's effects out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use tokio::sync::mpsc;
use wasipool_shared::ids::{AttemptId, JobId, ProviderId, TaskId};
use wasipool_shared::task::Outcome;
use wasipool_shared::wire::message::{Assignment, ToProvider};

use super::feeds::Feeds;
use super::handle::{COMMANDS_MAX, Command, Finished, Handle, Joined};
use super::live::{Label, LiveJob, LiveProvider, Tries, Try, TryEnd};
use super::states::{TaskPhase, TaskPhases};
use super::waiting::{QueueLimits, Waiting};
use super::watch::PoolWatch;
use super::{record, spec};
use crate::clock::Clock;
use crate::core::{Config, Core, Effect, End, Event, Group, Resumed, Trust, Verdict};
use crate::metrics::{Metrics, NO_LABELS};
use crate::store::{Resumable, Store, TaskRecord, TaskState};

/// Commands that are handled before results are written and timers looked at.
const BATCH: usize = 1_024;
/// Modules that a provider is shown to know.
const MODULES_SHOWN: usize = 16;

/// The driver, before it runs.
#[derive(Debug)]
pub struct Driver {
    commands: mpsc::Receiver<Command>,
    pub(super) store: Store,
    metrics: Metrics,
    /// Tasks that ended, by state: looked up once, not for each.
    outcomes: Vec<Counter>,
    pub(super) clock: Clock,
    waiting: Waiting,
    pub(super) core: Core,
    /// Whether any result may have to be compared with another.
    adaptive: bool,
    effects: Vec<Effect>,
    pub(super) jobs: HashMap<JobId, LiveJob>,
    pub(super) providers: HashMap<ProviderId, LiveProvider>,
    pub(super) tries: Tries,
    done: Vec<(JobId, u32, TaskRecord)>,
    pub(super) ended: u64,
    pub(super) dropped: u64,
    pub(super) pool_watch: Option<PoolWatch>,
    pub(super) feeds: Feeds,
}

impl Driver {
    /// A driver and the handle to talk to it.
    #[must_use]
    pub fn new(
        config: Config,
        queue: QueueLimits,
        store: Store,
        metrics: Metrics,
        clock: Clock,
    ) -> (Self, Handle) {
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let waiting = Waiting::new(queue);
        let handle = Handle {
            commands: sender,
            store: store.clone(),
            clock,
            waiting: waiting.clone(),
        };
        let outcome = |state: &TaskState| {
            let labels = [("state", state.as_str())];
            metrics.counter("wasipool_tasks_total", &labels)
        };
        let driver = Self {
            commands,
            store,
            outcomes: TaskState::ALL.iter().map(outcome).collect(),
            metrics,
            clock,
            waiting,
            adaptive: config.trust == Trust::Adaptive,
            core: Core::new(config),
            effects: Vec::new(),
            jobs: HashMap::new(),
            providers: HashMap::new(),
            tries: Tries::default(),
            done: Vec::new(),
            ended: 0,
            dropped: 0,
            pool_watch: None,
            feeds: Feeds::default(),
        };
        (driver, handle)
    }

    /// Runs until every handle is gone.
    pub async fn run(mut self) {
        for job in self.store.take_resumable() {
            self.resume(job);
        }
        self.write_results().await;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let deadline = self.core.next_deadline_ms();
            let wait_ms = deadline.map(|at_ms| at_ms.saturating_sub(self.clock.now_ms()));
            let due = async {
                match wait_ms {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
            };
            let tell_at = self.watch_due();
            let watched = async {
                match tell_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                count = self.commands.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    for command in batch.drain(..) {
                        self.on_command(command);
                    }
                }
                () = due => {}
                () = watched => {}
            }
            if deadline.is_some_and(|at_ms| at_ms <= self.clock.now_ms()) {
                self.tell_core(Event::Tick);
            }
            self.write_results().await;
            self.tell_watchers();
        }
    }

    async fn write_results(&mut self) {
        if !self.done.is_empty() {
            self.store
                .finish_tasks(std::mem::take(&mut self.done))
                .await;
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Submit { job, new, reply } => self.submit(job, new, reply),
            Command::Cancel { job, reply } => {
                let known = self.jobs.contains_key(&job);
                self.tell_core(Event::Cancel { job });
                if let Some(reply) = reply {
                    let _ = reply.send(known);
                }
            }
            Command::Join(joined) => self.join(*joined),
            Command::Capacity { provider, capacity } => {
                self.provider_changed(provider);
                self.tell_core(Event::Capacity { provider, capacity });
            }
            Command::RoundTrip { provider, micros } => {
                self.provider_changed(provider);
                self.tell_core(Event::RoundTrip { provider, micros });
            }
            Command::Drain { provider } => {
                self.provider_changed(provider);
                self.tell_core(Event::Drain { provider });
            }
            Command::Leave { provider, reason } => self.left(provider, &reason),
            Command::Operate(operation) => self.operate(operation),
            Command::Finished { provider, finished } => self.finished(provider, finished),
            Command::Failed {
                provider,
                attempt,
                fault,
            } => {
                let reason = fault.reason().to_owned();
                tracing::warn!(%provider, %attempt, reason, "an attempt failed by the provider's fault");
                let end = TryEnd::Failed(reason.clone());
                self.attempt_over(provider, attempt, end, Verdict::Fault { reason }, 0);
            }
            Command::Returned { provider, attempt } => {
                self.attempt_over(provider, attempt, TryEnd::Returned, Verdict::Returned, 0);
            }
            // Who asked may have gone away meanwhile.
            Command::Providers { reply } => drop(reply.send(self.provider_views())),
            Command::Stats { reply } => drop(reply.send(self.stats())),
            Command::JobLoad { job, reply } => drop(reply.send(self.job_load(job))),
            Command::Tasks {
                job,
                wanted,
                from,
                limit,
                reply,
            } => {
                let page = |live: &LiveJob| live.phases.page(wanted, from, limit);
                drop(reply.send(self.jobs.get(&job).map(page)));
            }
            Command::OpenTask { task, reply } => drop(reply.send(self.open_task(task))),
            Command::WatchJob { job, reply } => {
                let feed = self.jobs.get(&job).map(|live| self.feeds.watch(job, live));
                drop(reply.send(feed));
            }
            Command::WatchPool { reply } => {
                let providers = self.providers.keys().copied();
                let (watch, updates) = PoolWatch::new(tokio::time::Instant::now(), providers);
                self.pool_watch = Some(watch);
                drop(reply.send(updates));
            }
        }
    }

    fn submit(
        &mut self,
        job: JobId,
        new: Box<super::NewJob>,
        reply: Option<tokio::sync::oneshot::Sender<TaskRecord>>,
    ) {
        let spec = spec::of(&new, None);
        let created_ms = self.clock.precise_ms();
        let alone = reply.is_some();
        self.jobs.insert(
            job,
            LiveJob {
                phases: TaskPhases::new(new.tasks.len()),
                new,
                created_ms,
                alone,
                reply,
            },
        );
        if let (Some(watch), false) = (&mut self.pool_watch, alone) {
            watch.job(job);
        }
        self.tell_core(Event::Submit { job, spec });
    }

    /// Goes on with a job that was accepted before this process began.
    fn resume(&mut self, job: Resumable) {
        let open = spec::open(&job.states);
        let waiting = open.iter().map(|range| u64::from(range.end - range.start));
        self.waiting.add(job.new.owner, waiting.sum());
        let resumed = Resumed {
            open,
            ended: spec::ended(&job.record.counts),
        };
        let spec = spec::of(&job.new, Some(resumed));
        let age_ms = self
            .clock
            .unix_ms()
            .saturating_sub(job.record.created_unix_ms);
        let live = LiveJob {
            phases: TaskPhases::resumed(&job.states),
            new: job.new,
            created_ms: self.clock.precise_ms() - age_ms as f64,
            alone: false,
            reply: None,
        };
        self.jobs.insert(job.id, live);
        self.tell_core(Event::Submit { job: job.id, spec });
        if job.cancelled {
            self.tell_core(Event::Cancel { job: job.id });
        }
    }

    fn join(&mut self, joined: Joined) {
        let provider = joined.provider;
        let label = Label {
            id: provider,
            name: joined.name,
            kind: joined.kind,
        };
        let live = LiveProvider {
            label: Arc::new(label),
            agent: joined.agent,
            transport: joined.transport,
            address: joined.address,
            outbox: joined.outbox,
            joined_unix_ms: self.clock.unix_ms(),
            modules: Vec::new(),
        };
        live.gauge(&self.metrics).increment(1.0);
        self.providers.insert(provider, live);
        if let Some(watch) = &mut self.pool_watch {
            watch.joined(provider);
        }
        self.tell_core(Event::Join {
            provider,
            kind: joined.kind,
            capacity: joined.capacity,
            group: Group {
                address: joined.group,
                account: joined.account,
            },
        });
    }

    pub(super) fn left(&mut self, provider: ProviderId, reason: &str) {
        let now_ms = self.clock.precise_ms();
        for task in self.tries.end_all_at(provider, now_ms, reason) {
            self.set_phase(task, TaskPhase::Queued);
        }
        self.tell_core(Event::Leave { provider });
        if let Some(live) = self.providers.remove(&provider) {
            live.gauge(&self.metrics).decrement(1.0);
        }
        if let Some(watch) = &mut self.pool_watch {
            watch.left(provider);
        }
    }

    fn finished(&mut self, provider: ProviderId, finished: Box<Finished>) {
        let attempt = finished.attempt;
        let run_us = finished.timing.run_us;
        let quorum = self
            .tries
            .job_of(attempt)
            .and_then(|job| self.jobs.get(&job))
            .is_some_and(|job| job.new.quorum > 1);
        let compared = quorum || self.adaptive;
        let verdict = Verdict::Final {
            succeeded: finished.outcome == Outcome::Exited(0),
            fingerprint: compared.then(|| record::fingerprint(&finished)),
        };
        self.attempt_over(
            provider,
            attempt,
            TryEnd::Finished(finished),
            verdict,
            run_us,
        );
    }

    fn attempt_over(
        &mut self,
        provider: ProviderId,
        attempt: AttemptId,
        end: TryEnd,
        verdict: Verdict,
        run_us: u64,
    ) {
        if let Some(task) = self.tries.end(attempt, self.clock.precise_ms(), end) {
            self.set_phase(task, TaskPhase::Queued);
        }
        self.provider_changed(provider);
        self.tell_core(Event::Ended {
            provider,
            attempt,
            verdict,
            run_us,
        });
    }

    pub(super) fn tell_core(&mut self, event: Event) {
        if let Some(watch) = &mut self.pool_watch {
            watch.active(tokio::time::Instant::now());
        }
        let mut effects = std::mem::take(&mut self.effects);
        self.core.handle(self.clock.now_ms(), event, &mut effects);
        for effect in effects.drain(..) {
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Assign {
                provider,
                attempt,
                task,
            } => self.assign(provider, attempt, task, true),
            // Its outcome is for the core alone.
            Effect::Check {
                provider,
                attempt,
                task,
            } => self.assign(provider, attempt, task, false),
            Effect::Revoke { provider, attempt } => {
                let now_ms = self.clock.precise_ms();
                if let Some(task) = self.tries.end(attempt, now_ms, TryEnd::Revoked) {
                    self.set_phase(task, TaskPhase::Queued);
                }
                self.provider_changed(provider);
                if let Some(live) = self.providers.get(&provider) {
                    live.outbox.push(&ToProvider::Revoke(attempt));
                }
            }
            Effect::TaskEnded {
                task,
                end,
                attempts,
            } => self.task_ended(task, end, attempts),
            Effect::JobEnded { job, .. } => {
                if let Some(live) = self.jobs.remove(&job) {
                    self.feeds.end(job, &live);
                }
            }
            Effect::Dropped { provider, attempt } => {
                self.dropped += 1;
                let dropped = "wasipool_dropped_outcomes_total";
                self.metrics.counter(dropped, NO_LABELS).increment(1);
                tracing::debug!(%provider, %attempt, "a late outcome was dropped");
            }
        }
    }

    /// Sends a task to a provider; `counts` is whether its outcome may be the
    /// task's.
    fn assign(&mut self, provider: ProviderId, attempt: AttemptId, task: TaskId, counts: bool) {
        let (Some(job), Some(live)) = (self.jobs.get(&task.job), self.providers.get_mut(&provider))
        else {
            return tracing::error!(%provider, %task, "the core assigned what the driver doesn't know");
        };
        let Some(spec) = job.new.tasks.spec(task.index) else {
            return tracing::error!(%task, "the core assigned a task that the job doesn't have");
        };
        let module = job.new.module.blob();
        if live.modules.last() != Some(&module.digest) {
            live.modules.retain(|known| *known != module.digest);
            live.modules.push(module.digest);
            if live.modules.len() > MODULES_SHOWN {
                live.modules.remove(0);
            }
        }
        if counts {
            let provider = live.label.clone();
            self.tries.begin(
                task,
                Try {
                    attempt,
                    provider,
                    sent_ms: self.clock.precise_ms(),
                    end: None,
                },
            );
        }
        live.outbox.push(&ToProvider::Assign(Assignment {
            attempt,
            task,
            module,
            label: job.new.label().to_owned(),
            spec,
        }));
        if counts {
            self.set_phase(task, TaskPhase::Running);
        }
        self.provider_changed(provider);
    }

    fn task_ended(&mut self, task: TaskId, end: End, attempts: u32) {
        let tries = self.tries.take(task);
        self.ended += 1;
        let Some(job) = self.jobs.get_mut(&task.job) else {
            return tracing::error!(%task, "a task of an unknown job has ended");
        };
        self.waiting.release(job.new.owner, 1);
        let now_ms = self.clock.precise_ms();
        let record = record::record(
            self.clock,
            task.job,
            job.created_ms,
            now_ms,
            end,
            attempts,
            tries,
        );
        if let Some(outcomes) = self.outcomes.get(record.state as usize) {
            outcomes.increment(1);
        }
        match job.reply.take() {
            // Whoever waited may have gone away: then nobody wants it.
            Some(reply) => drop(reply.send(record)),
            None => {
                let phase = TaskPhase::Ended(record.state);
                self.done.push((task.job, task.index, record));
                self.set_phase(task, phase);
            }
        }
    }
}
