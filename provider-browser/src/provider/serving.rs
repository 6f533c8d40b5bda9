//! One session: carries out what its state machine decides, and tells it what
//! happened.

use std::collections::VecDeque;

use js_sys::Uint8Array;
use wasipool_shared::capacity::Capacity;
use wasipool_shared::digest::Digest;
use wasipool_shared::session::{BlobUse, CloseReason, Effect, Input, Session};
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::frame::{FrameReader, decode_one, messages};
use wasipool_shared::wire::message::{ToBroker, ToProvider};

use super::Event;
use super::executor::Executor;
use super::measure::Measured;
use crate::blobs::{Blobs, Located};
use crate::connection::{Connection, Heard};
use crate::js::{monotonic_us, unix_ms};
use crate::mailbox::Mailbox;
use crate::page::{Command, State, Status};
use crate::wishes::{Change, Wishes};

/// What outlives a session.
pub(super) struct House {
    pub(super) mailbox: Mailbox<Event>,
    pub(super) blobs: Blobs,
    pub(super) executor: Executor,
    pub(super) status: Status,
    /// What the volunteer wants.
    pub(super) wishes: Wishes,
    /// What this browser can do, once it is known.
    pub(super) measured: Option<Measured>,
}

impl House {
    /// Takes a command of the page; says what it means for what runs.
    pub(super) fn obey(&mut self, command: &Command, inputs: &mut Vec<Input>) {
        let change = self.wishes.take(command);
        if change == Change::None {
            return;
        }
        let Self {
            executor,
            blobs,
            wishes,
            status,
            ..
        } = self;
        executor.share(wishes.share(), blobs, inputs);
        if status.state.is_working() {
            executor.resize(wishes.slots(), blobs, inputs);
        }
        if let Command::Resume = command {
            executor.forget_rests();
        }
        status.paused = wishes.pause();
        status.slots = wishes.slots();
        if let Some(measured) = &self.measured {
            status.memory_bytes = measured.capacity(status.slots).memory_bytes;
        }
        if change == Change::GiveBack {
            inputs.push(Input::GiveBack);
        }
    }

    /// What is offered now: no slots while there are no workers for them, or
    /// while the volunteer doesn't want to.
    pub(super) fn capacity(&self) -> Option<Capacity> {
        let slots = self.wishes.slots();
        let mut capacity = self.measured.as_ref()?.capacity(slots);
        capacity.slots = if self.executor.is_broken() || self.wishes.pause().is_some() {
            0
        } else {
            self.executor.offered().min(slots)
        };
        Some(capacity)
    }
}

/// A session that goes on.
pub(super) struct Serving<'a> {
    house: &'a mut House,
    session: Session,
    connection: Connection,
    number: u32,
    reader: FrameReader,
    greeted: bool,
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    ended: Option<CloseReason>,
    /// Whether the broker let it in.
    pub(super) welcomed: bool,
}

impl<'a> Serving<'a> {
    /// Begins with the effects of the session's start.
    pub(super) fn new(
        house: &'a mut House,
        number: u32,
        (session, effects): (Session, Vec<Effect>),
        connection: Connection,
    ) -> Self {
        let mut serving = Self {
            house,
            session,
            connection,
            number,
            reader: FrameReader::default(),
            greeted: false,
            inputs: VecDeque::new(),
            effects,
            ended: None,
            welcomed: false,
        };
        serving.settle();
        serving
    }

    /// The rest of the house, while the session goes on.
    pub(super) fn house(&mut self) -> &mut House {
        self.house
    }

    /// In how many microseconds something is to be done though nothing happens.
    pub(super) fn next_deadline_us(&self) -> f64 {
        let deadline = self
            .session
            .next_deadline_us()
            .map_or(f64::INFINITY, |at| at as f64);
        deadline.min(self.house.executor.next_look_us() + monotonic_us())
    }

    /// Takes what happened.
    pub(super) fn take(&mut self, event: Event) {
        let mut inputs = Vec::new();
        if let Event::Page(command) = &event {
            self.house.obey(command, &mut inputs);
        }
        let House {
            blobs,
            executor,
            status,
            ..
        } = &mut *self.house;
        match event {
            Event::Page(Command::Stop) => {
                status.state = State::Draining;
                inputs.push(Input::Drain);
            }
            Event::Page(Command::Leave) => inputs.push(Input::Leave),
            Event::Page(Command::Probe) | Event::Woke => inputs.push(Input::Probe),
            // It was obeyed above.
            Event::Page(_) => {}
            Event::Guest(worker, said) => {
                if let Err(error) = &said {
                    status.problem(unix_ms(), error);
                }
                executor.heard(worker, said, blobs, &mut inputs);
            }
            Event::Compiled(key, compiled) => {
                executor.compiled(key, compiled, blobs, &mut inputs);
            }
            Event::Found(digest, Some(bytes)) => {
                blobs.keep(digest, &bytes, false);
                inputs.push(Input::Have(digest));
            }
            Event::Found(digest, None) => inputs.push(Input::Missing(digest)),
            Event::Heard(number, heard) if number == self.number => {
                self.hear(heard, &mut inputs);
            }
            // Of a session that is over.
            Event::Heard(..) => {}
            Event::Alarm => {
                executor.check_time(blobs, &mut inputs);
                inputs.push(Input::Tick);
            }
        }
        // Before a run's end is told: who has no slot any more gets nothing new.
        // The session tells the broker of changes only.
        self.inputs
            .extend(self.house.capacity().map(Input::Capacity));
        self.inputs.extend(inputs);
        self.settle();
    }

    /// Whether it is over, and why.
    pub(super) fn ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Closes the connection; gives why it is over.
    pub(super) fn finish(self) -> CloseReason {
        self.house.blobs.release_all();
        self.house.status.waiting = 0;
        let reason = self.ended.unwrap_or(CloseReason::Left);
        match reason {
            CloseReason::Disconnected(_) => self.connection.abort(),
            _ => self.connection.close(),
        }
        reason
    }

    fn hear(&mut self, heard: Heard, inputs: &mut Vec<Input>) {
        match heard {
            Heard::Control(bytes) => {
                self.reader.feed(&bytes);
                if let Err(error) = self.read_frames(inputs) {
                    inputs.push(Input::Disconnected(error.to_string()));
                }
            }
            Heard::Message(message) => inputs.push(Input::Message(*message)),
            Heard::Blob(digest, Ok(bytes)) => {
                self.house.blobs.keep(digest, &bytes, true);
                inputs.push(Input::Have(digest));
            }
            Heard::Blob(digest, Err(reason)) => inputs.push(Input::BlobFailed(digest, reason)),
            Heard::Closed(reason) => inputs.push(Input::Disconnected(reason)),
        }
    }

    fn read_frames(
        &mut self,
        inputs: &mut Vec<Input>,
    ) -> Result<(), wasipool_shared::wire::WireError> {
        while let Some(frame) = self.reader.next_frame()? {
            if !self.greeted {
                self.greeted = true;
                inputs.push(Input::Reply(decode_one(&frame)?));
                continue;
            }
            for message in messages::<ToProvider>(&frame) {
                inputs.push(Input::Message(message?));
            }
        }
        Ok(())
    }

    /// Lets the session decide about everything that happened, and carries out
    /// what it decides, until nothing is left.
    fn settle(&mut self) {
        loop {
            for effect in core::mem::take(&mut self.effects) {
                self.carry_out(effect);
            }
            let Some(input) = self.inputs.pop_front() else {
                break;
            };
            self.note(&input);
            self.session
                .handle(monotonic_us() as u64, input, &mut self.effects);
        }
        self.house.status.waiting = self.session.waiting();
    }

    fn note(&mut self, input: &Input) {
        let status = &mut self.house.status;
        match input {
            Input::Ended(_) => status.done += 1,
            Input::Failed(_, fault) => {
                status.faults += 1;
                status.problem(unix_ms(), fault.reason());
            }
            Input::BlobFailed(digest, reason) => {
                status.problem(unix_ms(), &format!("{digest}: {reason}"));
            }
            _ => {}
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let mut inputs = Vec::new();
        let House {
            blobs,
            executor,
            status,
            ..
        } = &mut *self.house;
        match effect {
            Effect::SendHello(hello) => self.connection.send_hello(&hello),
            Effect::Send(message) => {
                if let ToBroker::Draining = &message {
                    status.state = State::Draining;
                }
                self.connection.send(&message);
            }
            Effect::SendBulk(header, bytes) => self.connection.send_bulk(header, bytes),
            Effect::Locate(blob, used) => inputs.extend(self.locate(blob, used)),
            Effect::Release(digest) => blobs.release(&digest),
            Effect::Welcomed(welcome) => {
                self.welcomed = true;
                // Some may be missing since the broker was gone last.
                executor.refresh(blobs, &mut inputs);
                status.state = State::Connected;
                status.detail.clear();
                status.provider = Some(welcome.provider.to_string());
            }
            Effect::Start(assignment) => executor.start(assignment, blobs, &mut inputs),
            Effect::Stop(attempt) => executor.stop(attempt, blobs, &mut inputs),
            Effect::Close(reason) => self.ended = Some(reason),
        }
        self.inputs.extend(inputs);
    }

    fn locate(&mut self, blob: BlobRef, _used: BlobUse) -> Option<Input> {
        // Also when the cache has it, or seems to: it may turn out wrong.
        self.connection.want(blob);
        let mailbox = self.house.mailbox.clone();
        let found = move |digest: Digest, bytes: Option<Uint8Array>| {
            mailbox.post(Event::Found(digest, bytes));
        };
        match self
            .house
            .blobs
            .locate(blob, move |bytes| found(blob.digest, bytes))
        {
            Located::Here => Some(Input::Have(blob.digest)),
            Located::Missing => Some(Input::Missing(blob.digest)),
            Located::Looking => None,
        }
    }
}
