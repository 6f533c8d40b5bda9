//! The provider's side of a session, as a state machine without I/O.
//!
//! Native daemon and browser tab run this same code; each brings a shell that
//! carries out its [`Effect`]s and tells it what happened as [`Input`]s, with
//! the time. The machine decides; the shell does.
//!
//! ```text
//!            Input (message, blob, run ended, tick) + now
//!   shell ───────────────────────────────────────────────▶ Session
//!         ◀───────────────────────────────────────────────
//!            Effects (send, locate, start, stop, close)
//! ```
//!
//! One assignment's way: [`ToProvider::Assign`] → [`Effect::Locate`] for each
//! blob that nobody has asked for yet → [`Input::Have`], or [`Input::Missing`]
//! and then [`ToBroker::Want`] → all there: it is ready → a slot is free:
//! [`Effect::Start`] → [`Input::Ended`] → [`ToBroker::Ended`].
//!
//! The outputs that are too large for a message are announced in it and sent by
//! [`Effect::SendBulk`]: see [`outcome`].

mod assignments;
pub mod outcome;
#[cfg(test)]
mod tests;

use crate::capacity::Capacity;
use crate::digest::Digest;
use crate::ids::AttemptId;
use crate::task::{BlobRef, Fault};
use crate::wire::bulk::BulkHeader;
use crate::wire::message::{
    Assignment, Hello, HelloReply, Refuse, RefuseCode, ToBroker, ToProvider, Welcome,
};
use crate::wire::version::VersionRange;

use assignments::Assignments;
use outcome::RunResult;

/// What happened, told by the shell.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The answer to the hello has come.
    Reply(HelloReply),
    /// A message has come, in a frame or on a stream of its own.
    Message(ToProvider),
    /// The provider has that blob, checked.
    Have(Digest),
    /// The provider doesn't have it: it must be asked for.
    Missing(Digest),
    /// It came and was wrong, or couldn't be kept.
    BlobFailed(Digest, String),
    /// A guest has ended by its own doing.
    Ended(RunResult),
    /// A guest couldn't be run, by this provider's fault.
    Failed(AttemptId, Fault),
    /// What the provider offers has changed. With no slots it is paused: what
    /// waits goes back, what runs goes on.
    Capacity(Capacity),
    /// What runs is to go back as well; the session goes on.
    GiveBack,
    /// The connection may be dead (the network was away, the machine slept): ask
    /// the broker for a sign of life, and give it up soon if there is none.
    Probe,
    /// The provider wants to leave: finish what runs, take no more.
    Drain,
    /// Finish nothing: stop all and leave.
    Leave,
    /// The connection is gone.
    Disconnected(String),
    /// A deadline has passed: see [`Session::next_deadline_us`].
    Tick,
}

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send the first frame.
    SendHello(Hello),
    /// Send a message.
    Send(ToBroker),
    /// Send bytes on a unidirectional stream of their own.
    SendBulk(BulkHeader, bytes::Bytes),
    /// Look for that blob in the cache; answer with [`Input::Have`] or
    /// [`Input::Missing`], and keep it until [`Effect::Release`].
    Locate(BlobRef, BlobUse),
    /// No assignment needs that blob any more: the cache may drop it.
    Release(Digest),
    /// The provider is in.
    Welcomed(Welcome),
    /// Run this as soon as a slot is free; all its blobs are there.
    Start(Box<Assignment>),
    /// Stop that guest; its result is not wanted.
    Stop(AttemptId),
    /// Close the connection: the session is over. Nothing follows.
    Close(CloseReason),
}

/// What a blob is for, so that a cache can treat it well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobUse {
    /// It will be compiled.
    Module,
    /// It is read.
    Data,
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The broker didn't let it in, or sent it away.
    #[error("the broker refused ({:?}): {}", .0.code, .0.text)]
    Refused(Refuse),
    /// Everything that was to be finished is.
    #[error("drained")]
    Drained,
    /// The provider wanted to leave at once.
    #[error("left")]
    Left,
    /// Nothing was heard from the broker for too long.
    #[error("nothing heard from the broker for {0} ms")]
    Silent(u64),
    /// The connection broke.
    #[error("disconnected: {0}")]
    Disconnected(String),
    /// The broker broke a rule of the protocol.
    #[error("the broker broke the protocol: {0}")]
    Protocol(&'static str),
}

impl CloseReason {
    /// Whether connecting again makes sense.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        match self {
            Self::Refused(refuse) => {
                matches!(
                    refuse.code,
                    RefuseCode::Ticket | RefuseCode::Full | RefuseCode::Stopping
                )
            }
            Self::Drained | Self::Left => false,
            Self::Silent(_) | Self::Disconnected(_) | Self::Protocol(_) => true,
        }
    }
}

/// What a session starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The ticket that lets the provider in.
    pub ticket: String,
    /// What people call the provider.
    pub name: String,
    /// Where it runs.
    pub kind: crate::capacity::ProviderKind,
    /// Program and version.
    pub agent: String,
    /// What it offers.
    pub capacity: Capacity,
    /// Guests that are started beyond the slots, for the shell to keep in order
    /// until a slot is free: only those that are over at once, by what earlier
    /// ones of their module took. 0 for a shell that has no queue.
    pub ahead: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Hello is sent.
    Greeting,
    /// The provider is in.
    In {
        idle_us: u64,
        heartbeat_us: u64,
        assignments_max: usize,
        draining: bool,
    },
    Closed,
}

/// The provider's side of one session: see the [module](self).
#[derive(Debug)]
pub struct Session {
    state: State,
    capacity: Capacity,
    ahead: usize,
    assignments: Assignments,
    heard_us: u64,
    pinged_us: u64,
    ping: u64,
    /// When a probe that isn't answered yet has to be.
    probe_us: Option<u64>,
}

/// How long the broker may take for its first answer.
const GREETING_US: u64 = 10_000_000;
/// How long the broker may take to answer a probe.
const PROBE_US: u64 = 2_000_000;

impl Session {
    /// Starts a session on a fresh connection.
    pub fn new(config: Config, now_us: u64, effects: &mut Vec<Effect>) -> Self {
        let capacity = config.capacity.clone();
        effects.push(Effect::SendHello(Hello {
            versions: VersionRange::OURS,
            ticket: config.ticket,
            name: config.name,
            kind: config.kind,
            agent: config.agent,
            capacity: config.capacity,
        }));
        Self {
            state: State::Greeting,
            capacity,
            ahead: config.ahead.into(),
            assignments: Assignments::default(),
            heard_us: now_us,
            pinged_us: now_us,
            ping: 0,
            probe_us: None,
        }
    }

    /// Takes what happened at `now_us` (microseconds of any monotonic clock)
    /// and says what is to be done.
    pub fn handle(&mut self, now_us: u64, input: Input, effects: &mut Vec<Effect>) {
        if self.state == State::Closed {
            return;
        }
        match input {
            Input::Reply(reply) => {
                self.heard_us = now_us;
                self.on_reply(reply, effects);
            }
            Input::Message(message) => {
                self.heard_us = now_us;
                self.probe_us = None;
                self.on_message(now_us, message, effects);
            }
            Input::Have(digest) => self.assignments.blob_ready(now_us, digest),
            Input::Missing(digest) => effects.push(Effect::Send(ToBroker::Want(digest))),
            Input::BlobFailed(digest, reason) => {
                self.assignments.blob_failed(digest, &reason, effects);
            }
            Input::Ended(result) => self.assignments.ended(now_us, result, effects),
            Input::Failed(attempt, fault) => self.assignments.failed(attempt, fault, effects),
            Input::Capacity(capacity) => {
                if self.capacity != capacity {
                    self.capacity = capacity.clone();
                    if matches!(self.state, State::In { .. }) {
                        effects.push(Effect::Send(ToBroker::Capacity(capacity)));
                    }
                    if self.is_paused() {
                        self.assignments.return_waiting(effects);
                    }
                }
            }
            Input::GiveBack => self.assignments.return_all(effects),
            Input::Probe => self.probe(now_us, effects),
            Input::Drain => self.drain(true, effects),
            Input::Leave => {
                if let State::In { draining, .. } = &mut self.state {
                    // First, unless it was said: or it would get back what it returns.
                    if !std::mem::replace(draining, true) {
                        effects.push(Effect::Send(ToBroker::Draining));
                    }
                    self.assignments.return_all(effects);
                    effects.push(Effect::Send(ToBroker::Bye));
                }
                self.close(CloseReason::Left, effects);
            }
            Input::Disconnected(reason) => self.close(CloseReason::Disconnected(reason), effects),
            Input::Tick => self.on_tick(now_us, effects),
        }
        self.start_ready(effects);
    }

    /// When [`Input::Tick`] is due next; nothing once the session is over.
    #[must_use]
    pub fn next_deadline_us(&self) -> Option<u64> {
        match self.state {
            State::Greeting => Some(self.heard_us + GREETING_US),
            State::In {
                idle_us,
                heartbeat_us,
                ..
            } => {
                let deadline = (self.heard_us + idle_us).min(self.pinged_us + heartbeat_us);
                Some(self.probe_us.map_or(deadline, |probe| probe.min(deadline)))
            }
            State::Closed => None,
        }
    }

    /// Attempts that run now, or that were started ahead.
    #[must_use]
    pub fn running(&self) -> usize {
        self.assignments.running()
    }

    /// Assignments that wait for a blob or a slot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.assignments.len() - self.assignments.running()
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn on_reply(&mut self, reply: HelloReply, effects: &mut Vec<Effect>) {
        if self.state != State::Greeting {
            return self.close(
                CloseReason::Protocol("a second answer to the hello"),
                effects,
            );
        }
        match reply {
            HelloReply::Welcome(welcome) => {
                let ours = VersionRange::OURS;
                if !(ours.min..=ours.max).contains(&welcome.protocol) {
                    let reason = CloseReason::Protocol("it chose a version that was not offered");
                    return self.close(reason, effects);
                }
                self.state = State::In {
                    idle_us: u64::from(welcome.idle_ms.max(1)) * 1_000,
                    heartbeat_us: u64::from(welcome.heartbeat_ms.max(1)) * 1_000,
                    assignments_max: usize::try_from(welcome.assignments_max).unwrap_or(usize::MAX),
                    draining: false,
                };
                effects.push(Effect::Welcomed(welcome));
            }
            HelloReply::Refuse(refuse) => self.close(CloseReason::Refused(refuse), effects),
        }
    }

    fn on_message(&mut self, now_us: u64, message: ToProvider, effects: &mut Vec<Effect>) {
        let State::In {
            assignments_max,
            draining,
            ..
        } = self.state
        else {
            return self.close(
                CloseReason::Protocol("a message before the welcome"),
                effects,
            );
        };
        match message {
            ToProvider::Assign(assignment) if draining || self.is_paused() => {
                effects.push(Effect::Send(ToBroker::Returned(assignment.attempt)));
            }
            ToProvider::Assign(assignment) => {
                if self.assignments.len() >= assignments_max {
                    let reason = CloseReason::Protocol("more assignments than it announced");
                    return self.close(reason, effects);
                }
                self.assignments.add(now_us, assignment, effects);
            }
            ToProvider::Revoke(attempt) => {
                self.assignments.revoke(attempt, effects);
                self.leave_if_drained(effects);
            }
            ToProvider::NoBlob(digest) => {
                self.assignments
                    .blob_failed(digest, "the broker has no such blob", effects);
            }
            ToProvider::Pong(_) => {}
            ToProvider::Drain => self.drain(false, effects),
            ToProvider::Bye(refuse) => self.close(CloseReason::Refused(refuse), effects),
        }
    }

    fn on_tick(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        let silent_us = now_us.saturating_sub(self.heard_us);
        match self.state {
            State::Greeting if silent_us >= GREETING_US => {
                self.close(CloseReason::Silent(silent_us / 1_000), effects);
            }
            State::In { idle_us, .. }
                if silent_us >= idle_us || self.probe_us.is_some_and(|probe| probe <= now_us) =>
            {
                self.close(CloseReason::Silent(silent_us / 1_000), effects);
            }
            State::In { heartbeat_us, .. } if now_us >= self.pinged_us + heartbeat_us => {
                self.ping(now_us, effects);
            }
            State::Greeting | State::In { .. } | State::Closed => {}
        }
    }

    fn ping(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        self.pinged_us = now_us;
        self.ping += 1;
        effects.push(Effect::Send(ToBroker::Ping(self.ping)));
    }

    fn probe(&mut self, now_us: u64, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::In { .. }) && self.probe_us.is_none() {
            self.probe_us = Some(now_us + PROBE_US);
            self.ping(now_us, effects);
        }
    }

    fn is_paused(&self) -> bool {
        self.capacity.slots == 0
    }

    fn drain(&mut self, tell: bool, effects: &mut Vec<Effect>) {
        match &mut self.state {
            State::In { draining, .. } if !*draining => *draining = true,
            State::Greeting => return self.close(CloseReason::Drained, effects),
            State::In { .. } | State::Closed => return,
        }
        if tell {
            effects.push(Effect::Send(ToBroker::Draining));
        }
        self.assignments.return_waiting(effects);
        self.leave_if_drained(effects);
    }

    fn leave_if_drained(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::In { draining: true, .. }) && self.assignments.len() == 0 {
            effects.push(Effect::Send(ToBroker::Bye));
            self.close(CloseReason::Drained, effects);
        }
    }

    fn start_ready(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::In { .. }) {
            let slots = usize::from(self.capacity.slots);
            self.assignments.start_ready(slots, self.ahead, effects);
            self.leave_if_drained(effects);
        }
    }

    fn close(&mut self, reason: CloseReason, effects: &mut Vec<Effect>) {
        self.state = State::Closed;
        self.assignments.stop_all(effects);
        effects.push(Effect::Close(reason));
    }
}
