//! Runs guests: compiles what they need, gives them to workers, ends them when
//! their time is up.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use js_sys::{Array, WebAssembly};
use wasipool_shared::ids::AttemptId;
use wasipool_shared::session::Input;
use wasipool_shared::session::outcome::RunResult;
use wasipool_shared::task::{Fault, Outcome};
use wasipool_shared::wire::message::Assignment;
use wasm_bindgen_futures::spawn_local;

use super::Event;
use crate::blobs::Blobs;
use crate::guests::duty::{Doing, Duty};
use crate::guests::pool::{Action, Pool, WorkerId};
use crate::guests::worker::GuestWorker;
use crate::js::unix_us;
use crate::mailbox::Mailbox;
use crate::modules::{self, Compiled, ModuleKey, Modules};
use crate::order::{FromGuest, Order, Report};
use crate::page::{Running, Slot, shorten};

/// How often to look whether a guest has started whose time would be up.
const LOOK_AGAIN_US: f64 = 20_000.0;

struct Run {
    assignment: Box<Assignment>,
    module: Option<WebAssembly::Module>,
    worker: Option<WorkerId>,
    /// When it was given to its worker, in microseconds since 1970.
    sent_us: f64,
    /// When its guest started, where the worker had to tell.
    started_us: Option<f64>,
    /// When to look whether its time is up.
    look_us: f64,
}

/// How long to wait before workers are tried again that couldn't be started.
const HEAL_US: f64 = 3_000_000.0;

/// See the module.
pub(super) struct Executor {
    mailbox: Mailbox<Event>,
    slots: u16,
    duty: Duty,
    /// Runs that wait until a slot has rested.
    held: VecDeque<AttemptId>,
    /// When to try again to start workers, if that failed.
    heal_us: Option<f64>,
    pool: Pool,
    workers: HashMap<WorkerId, GuestWorker>,
    runs: HashMap<AttemptId, Run>,
    modules: Modules,
    /// Modules that are being compiled, and who waits for them.
    compiling: HashMap<ModuleKey, Vec<AttemptId>>,
}

impl Executor {
    pub(super) fn new(mailbox: Mailbox<Event>) -> Self {
        Self {
            mailbox,
            slots: 0,
            duty: Duty::default(),
            held: VecDeque::new(),
            heal_us: None,
            pool: Pool::default(),
            workers: HashMap::new(),
            runs: HashMap::new(),
            modules: modules::new(),
            compiling: HashMap::new(),
        }
    }

    /// Keeps as many workers as that many slots need.
    pub(super) fn resize(&mut self, slots: u16, blobs: &mut Blobs, out: &mut Vec<Input>) {
        self.slots = slots;
        self.duty.resize(slots.into());
        self.heal_us = None;
        let mut actions = Vec::new();
        self.pool.resize(slots.into(), &mut actions);
        self.act(actions, blobs, out);
    }

    /// Lets each slot work that share of its time, in percent.
    pub(super) fn share(&mut self, percent: u8, blobs: &mut Blobs, out: &mut Vec<Input>) {
        self.duty.share(percent);
        self.release_held(blobs, out);
    }

    /// Forgets that slots have to rest.
    pub(super) fn forget_rests(&mut self) {
        self.duty.forget();
    }

    /// Slots that aren't at rest for long.
    pub(super) fn offered(&self) -> u16 {
        self.duty.offered(unix_us()) as u16
    }

    /// Starts the workers that are missing: their code can be loaded now.
    pub(super) fn refresh(&mut self, blobs: &mut Blobs, out: &mut Vec<Input>) {
        self.resize(self.slots, blobs, out);
    }

    /// Whether there are no workers, and none can be started at present.
    pub(super) fn is_broken(&self) -> bool {
        self.pool.is_broken()
    }

    /// Runs this; what comes of it is put into `out` now or later.
    pub(super) fn start(
        &mut self,
        assignment: Box<Assignment>,
        blobs: &mut Blobs,
        out: &mut Vec<Input>,
    ) {
        let attempt = assignment.attempt;
        let key = (
            assignment.module.digest,
            assignment.spec.limits.memory_bytes,
        );
        let run = Run {
            assignment,
            module: None,
            worker: None,
            sent_us: unix_us(),
            started_us: None,
            look_us: f64::INFINITY,
        };
        self.runs.insert(attempt, run);
        if let Some(compiled) = self.modules.get(&key).cloned() {
            return self.submit(attempt, compiled, blobs, out);
        }
        if let Some(waiting) = self.compiling.get_mut(&key) {
            return waiting.push(attempt);
        }
        let Some(bytes) = blobs.get(&key.0) else {
            return self.fail(
                attempt,
                Fault::Internal("its module is gone".to_owned()),
                out,
            );
        };
        self.compiling.insert(key, vec![attempt]);
        let mailbox = self.mailbox.clone();
        spawn_local(async move {
            let compiled = modules::compile(bytes, key.1).await;
            mailbox.post(Event::Compiled(key, compiled));
        });
    }

    /// A module is compiled, or can't be.
    pub(super) fn compiled(
        &mut self,
        key: ModuleKey,
        compiled: Result<Compiled, Fault>,
        blobs: &mut Blobs,
        out: &mut Vec<Input>,
    ) {
        let waiting = self.compiling.remove(&key).unwrap_or_default();
        match compiled {
            Ok(compiled) => {
                let weight = blobs.get(&key.0).map_or(0, |bytes| bytes.length());
                self.modules.insert(key, compiled.clone(), weight.into());
                for attempt in waiting {
                    self.submit(attempt, compiled.clone(), blobs, out);
                }
            }
            Err(fault) => {
                for attempt in waiting {
                    self.fail(attempt, fault.clone(), out);
                }
            }
        }
    }

    fn submit(
        &mut self,
        attempt: AttemptId,
        compiled: Compiled,
        blobs: &mut Blobs,
        out: &mut Vec<Input>,
    ) {
        // It may have been stopped meanwhile.
        let Some(run) = self.runs.get_mut(&attempt) else {
            return;
        };
        match compiled {
            Compiled::TooLarge => {
                self.forget(attempt, 0);
                out.push(ended(
                    attempt,
                    Outcome::OutOfMemory,
                    [Bytes::new(), Bytes::new()],
                    0,
                ));
            }
            Compiled::Module(module) => {
                run.module = Some(module);
                self.held.push_back(attempt);
                self.release_held(blobs, out);
            }
        }
    }

    /// Gives to workers what slots are free for.
    fn release_held(&mut self, blobs: &mut Blobs, out: &mut Vec<Input>) {
        let mut actions = Vec::new();
        while let Some(attempt) = self.held.front()
            && self.duty.begin(unix_us(), *attempt)
        {
            self.pool.submit(*attempt, &mut actions);
            self.held.pop_front();
        }
        if !actions.is_empty() {
            self.act(actions, blobs, out);
        }
        self.give_up_if_broken(out);
    }

    /// Takes a run out of the books.
    fn forget(&mut self, attempt: AttemptId, worked_us: u64) -> Option<Run> {
        let run = self.runs.remove(&attempt)?;
        self.held.retain(|held| *held != attempt);
        self.duty.end(unix_us(), attempt, worked_us as f64);
        Some(run)
    }

    /// A worker says something, or has failed.
    pub(super) fn heard(
        &mut self,
        worker: WorkerId,
        said: Result<FromGuest, String>,
        blobs: &mut Blobs,
        out: &mut Vec<Input>,
    ) {
        let mut actions = Vec::new();
        match said {
            Ok(FromGuest::Ready) => self.pool.ready(worker, &mut actions),
            Ok(FromGuest::Started(attempt)) => {
                if let Some(run) = self.runs.get_mut(&attempt) {
                    run.started_us = Some(unix_us());
                }
            }
            Ok(FromGuest::Report(report)) => {
                self.pool.ended(worker, report.reusable, &mut actions);
                self.report(*report, out);
            }
            Ok(FromGuest::Speed(_) | FromGuest::Compiled(_)) => {}
            Err(error) => {
                if let Some(attempt) = self.pool.failed(worker, &mut actions) {
                    let fault = Fault::Internal(format!("its worker failed: {error}"));
                    self.fail(attempt, fault, out);
                }
            }
        }
        self.act(actions, blobs, out);
        self.release_held(blobs, out);
    }

    fn report(&mut self, report: Report, out: &mut Vec<Input>) {
        if self.forget(report.attempt, report.run_us).is_none() {
            return;
        }
        out.push(match report.end {
            Ok(outcome) => Input::Ended(RunResult {
                attempt: report.attempt,
                outcome,
                stdout: report.stdout,
                stderr: report.stderr,
                artifacts: report.artifacts,
                run_us: report.run_us,
            }),
            Err(fault) => Input::Failed(report.attempt, fault),
        });
    }

    fn fail(&mut self, attempt: AttemptId, fault: Fault, out: &mut Vec<Input>) {
        if self.forget(attempt, 0).is_some() {
            out.push(Input::Failed(attempt, fault));
        }
    }

    fn give_up_if_broken(&mut self, out: &mut Vec<Input>) {
        if self.pool.is_broken() {
            self.heal_us.get_or_insert(unix_us() + HEAL_US);
            let attempts: Vec<_> = self.runs.keys().copied().collect();
            for attempt in attempts {
                self.forget(attempt, 0);
                let fault = Fault::Internal("no worker can be started".to_owned());
                out.push(Input::Failed(attempt, fault));
            }
        }
    }

    /// Stops a run; nothing comes of it any more.
    pub(super) fn stop(&mut self, attempt: AttemptId, blobs: &mut Blobs, out: &mut Vec<Input>) {
        let started_us = self
            .runs
            .get(&attempt)
            .and_then(|run| started_us(&self.workers, run));
        let worked_us = started_us.map_or(0.0, |at| (unix_us() - at).max(0.0));
        if self.forget(attempt, worked_us as u64).is_some() {
            self.end(attempt, blobs, out);
            self.release_held(blobs, out);
        }
    }

    fn end(&mut self, attempt: AttemptId, blobs: &mut Blobs, out: &mut Vec<Input>) {
        let mut actions = Vec::new();
        self.pool.stop(attempt, &mut actions);
        self.act(actions, blobs, out);
    }

    /// Ends the guests whose time is up.
    pub(super) fn check_time(&mut self, blobs: &mut Blobs, out: &mut Vec<Input>) {
        let now_us = unix_us();
        if self.heal_us.is_some_and(|heal_us| heal_us <= now_us) {
            self.refresh(blobs, out);
        }
        self.release_held(blobs, out);
        let mut late = Vec::new();
        let workers = &self.workers;
        for (attempt, run) in &mut self.runs {
            if run.look_us > now_us {
                continue;
            }
            let Some(started_us) = started_us(workers, run) else {
                run.look_us = now_us + LOOK_AGAIN_US;
                continue;
            };
            // The clocks of two workers need not agree to the last digit.
            let started_us = started_us.clamp(run.sent_us, now_us);
            run.look_us = started_us + run.assignment.spec.limits.timeout_ms as f64 * 1_000.0;
            if run.look_us <= now_us {
                late.push((*attempt, (now_us - started_us) as u64, run.worker));
            }
        }
        for (attempt, run_us, worker) in late {
            let worker = worker.and_then(|worker| self.workers.get(&worker));
            let written = worker.map(GuestWorker::written).unwrap_or_default();
            self.forget(attempt, run_us);
            out.push(ended(
                attempt,
                Outcome::TimedOut,
                written.map(Bytes::from),
                run_us,
            ));
            self.end(attempt, blobs, out);
        }
    }

    /// In how many microseconds to check the time again.
    pub(super) fn next_look_us(&self) -> f64 {
        let looks = self.runs.values().map(|run| run.look_us);
        let heal_us = self.heal_us.unwrap_or(f64::INFINITY);
        let now_us = unix_us();
        looks.fold(heal_us, f64::min).min(self.duty.next_us(now_us)) - now_us
    }

    /// What each slot does.
    pub(super) fn doing(&self) -> Vec<Slot> {
        let doing = self.duty.doing(unix_us()).map(|doing| match doing {
            Doing::Idle => Slot::Idle,
            Doing::Resting(until_us) => Slot::Resting {
                until_ms: (until_us / 1_000.0) as u64,
            },
            Doing::Running(attempt) => {
                let run = self.runs.get(&attempt);
                run.map_or(Slot::Idle, |run| Slot::Running(self.running(run)))
            }
        });
        doing.collect()
    }

    fn running(&self, run: &Run) -> Running {
        let worker = run.worker.and_then(|worker| self.workers.get(&worker));
        Running {
            task: run.assignment.task.to_string(),
            label: shorten(&run.assignment.label),
            module: run.assignment.module.digest.to_string(),
            args: shorten(&run.assignment.spec.args.join(" ")),
            since_ms: (run.sent_us / 1_000.0) as u64,
            memory_bytes: worker.and_then(GuestWorker::memory_bytes),
            memory_max_bytes: run.assignment.spec.limits.memory_bytes,
        }
    }

    fn act(&mut self, actions: Vec<Action>, blobs: &mut Blobs, out: &mut Vec<Input>) {
        for action in actions {
            match action {
                Action::Spawn(worker) => self.spawn(worker),
                Action::Terminate(worker) => drop(self.workers.remove(&worker)),
                Action::Run(worker, attempt) => {
                    if let Err(fault) = self.run(worker, attempt, blobs) {
                        self.fail(attempt, fault, out);
                        self.mailbox
                            .post(Event::Guest(worker, Err("no order".to_owned())));
                    }
                }
            }
        }
    }

    fn spawn(&mut self, id: WorkerId) {
        let mailbox = self.mailbox.clone();
        match GuestWorker::spawn(move |said| mailbox.post(Event::Guest(id, said))) {
            Ok(worker) => drop(self.workers.insert(id, worker)),
            Err(error) => self.mailbox.post(Event::Guest(id, Err(error))),
        }
    }

    fn run(&mut self, id: WorkerId, attempt: AttemptId, blobs: &mut Blobs) -> Result<(), Fault> {
        let lost = |what: &str| Fault::Internal(format!("{what} is gone"));
        let run = self.runs.get_mut(&attempt).ok_or_else(|| lost("the run"))?;
        let worker = self
            .workers
            .get_mut(&id)
            .ok_or_else(|| lost("the worker"))?;
        let module = run.module.as_ref().ok_or_else(|| lost("the module"))?;
        let spec = run.assignment.spec.clone();
        let beside = Array::new();
        for blob in spec.blobs() {
            let bytes = blobs.get(&blob.digest).ok_or_else(|| lost("a blob"))?;
            beside.push(&bytes);
        }
        run.sent_us = unix_us();
        run.look_us = run.sent_us + spec.limits.timeout_ms as f64 * 1_000.0;
        run.worker = Some(id);
        let order = Order {
            attempt,
            index: run.assignment.task.index,
            spec,
        };
        worker.run(order, module, &beside).map_err(Fault::Internal)
    }
}

/// When the guest of a run has started, as far as it is known here.
fn started_us(workers: &HashMap<WorkerId, GuestWorker>, run: &Run) -> Option<f64> {
    let worker = run.worker.and_then(|worker| workers.get(&worker));
    run.started_us.or(worker.and_then(GuestWorker::started_us))
}

fn ended(attempt: AttemptId, outcome: Outcome, [stdout, stderr]: [Bytes; 2], run_us: u64) -> Input {
    Input::Ended(RunResult {
        attempt,
        outcome,
        stdout,
        stderr,
        artifacts: Vec::new(),
        run_us,
    })
}
