//! One session: tells the state machine what happens, and does what it says.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep_until, timeout};
use wasipool_shared::capacity::ProviderKind;
use wasipool_shared::digest::Digest;
use wasipool_shared::session::{CloseReason, Config, Effect, Input, Session};
use wasipool_shared::task::Fault;
use wasipool_shared::wire::WireError;
use wasipool_shared::wire::bulk::BulkHeader;
use wasipool_shared::wire::frame::{FrameWriter, Packed, decode_one, messages};
use wasipool_shared::wire::message::{Assignment, Welcome};

use super::{AGENT, Provider};
use crate::blobs::{self, Place};
use crate::connection::{Connection, Event};
use crate::executor::{Done, RunId};
use crate::sandbox::{Job, NoResult};

/// Things that happened that are looked at before what follows from them is
/// sent: many make one write.
const BATCH: usize = 512;
/// How long the workers may take to stop what they run.
const STOPPING: Duration = Duration::from_secs(1);

/// How a session ended.
pub(super) struct EndedSession {
    pub(super) reason: CloseReason,
    /// Whether the provider was in.
    pub(super) welcomed: bool,
}

/// A blob that was looked for on disk.
type Read = (Digest, Option<Bytes>);

/// What belongs to one session.
struct Running<'a> {
    provider: &'a mut Provider,
    connection: Connection,
    session: Session,
    number: u64,
    started: Instant,
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    frames: FrameWriter,
    reads: (UnboundedSender<Read>, UnboundedReceiver<Read>),
    replied: bool,
    welcomed: bool,
    closed: Option<CloseReason>,
    /// When the drain is over.
    leave_at: Option<Instant>,
}

/// Short guests that a worker finds in the queue, so that it needn't sleep until
/// this thread has heard of the last one's end.
const AHEAD_A_SLOT: u16 = 16;

impl Provider {
    /// Serves a session to its end.
    pub(super) async fn session(&mut self, connection: Connection, ticket: String) -> EndedSession {
        self.sessions += 1;
        let mut effects = Vec::new();
        let config = Config {
            ticket,
            name: self.name.clone(),
            kind: ProviderKind::Native,
            agent: AGENT.to_owned(),
            capacity: self.capacity.clone(),
            ahead: self.capacity.slots.saturating_mul(AHEAD_A_SLOT),
        };
        let session = Session::new(config, 0, &mut effects);
        let running = Running {
            number: self.sessions,
            provider: self,
            connection,
            session,
            started: Instant::now(),
            inputs: VecDeque::new(),
            effects,
            frames: FrameWriter::default(),
            reads: unbounded_channel(),
            replied: false,
            welcomed: false,
            closed: None,
            leave_at: None,
        };
        running.serve().await
    }
}

impl Running<'_> {
    async fn serve(mut self) -> EndedSession {
        self.carry_out();
        let reason = loop {
            if let Some(reason) = self.closed.take() {
                break reason;
            }
            self.flush();
            self.wait().await;
            self.take_what_is_there();
            self.handle_inputs();
        };
        // What the last tasks wrote goes before the goodbye.
        if reason == CloseReason::Drained {
            self.connection.finish_bulk().await;
        }
        self.flush();
        self.connection.close().await;
        self.provider.blobs.release_all();
        self.provider.executor.stop_all();
        // Not to be waited for: a compilation can't be stopped.
        _ = timeout(STOPPING, async {
            while self.provider.executor.busy() {
                self.provider.executor.next().await;
            }
        })
        .await;
        EndedSession {
            reason,
            welcomed: self.welcomed,
        }
    }

    /// Waits for something to happen.
    async fn wait(&mut self) {
        let at = |at_us| self.started + Duration::from_micros(at_us);
        let tick = self.session.next_deadline_us().map(at);
        let next = [tick, self.leave_at].into_iter().flatten().min();
        let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
        tokio::select! {
            event = self.connection.next() => self.on_event(event),
            Some(done) = self.provider.executor.next() => self.on_done(done),
            Some(read) = self.reads.1.recv() => self.on_read(read),
            () = self.provider.signals.next() => self.on_signal(),
            () = sleep_until(next.into()) => {}
        }
        if tick.is_some_and(|tick| Instant::now() >= tick) {
            self.inputs.push_back(Input::Tick);
        }
        if self
            .leave_at
            .is_some_and(|leave_at| Instant::now() >= leave_at)
        {
            tracing::warn!("running guests didn't end in time");
            self.inputs.push_back(Input::Leave);
        }
    }

    /// Takes what else has happened meanwhile.
    fn take_what_is_there(&mut self) {
        for _ in 0..BATCH {
            let event = self.connection.try_next();
            let done = self.provider.executor.try_next();
            if event.is_none() && done.is_none() {
                return;
            }
            event.into_iter().for_each(|event| self.on_event(event));
            done.into_iter().for_each(|done| self.on_done(done));
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Frame(frame) => {
                if let Err(error) = self.on_frame(&frame) {
                    let reason = format!("what the broker says is not understood: {error}");
                    self.inputs.push_back(Input::Disconnected(reason));
                }
            }
            Event::Message(message) => self.inputs.push_back(Input::Message(*message)),
            Event::Blob(blob, bytes) => {
                let (_, keep_at) = self.provider.blobs.store(blob.digest, bytes.clone());
                if let Some(path) = keep_at {
                    tokio::task::spawn_blocking(move || blobs::write(&path, &bytes));
                }
                self.inputs.push_back(Input::Have(blob.digest));
            }
            Event::BadBlob(blob, reason) => {
                self.inputs
                    .push_back(Input::BlobFailed(blob.digest, reason));
            }
            Event::Closed(reason) => self.inputs.push_back(Input::Disconnected(reason)),
        }
    }

    fn on_frame(&mut self, frame: &[u8]) -> Result<(), WireError> {
        if !std::mem::replace(&mut self.replied, true) {
            self.inputs.push_back(Input::Reply(decode_one(frame)?));
            return Ok(());
        }
        for message in messages(frame) {
            self.inputs.push_back(Input::Message(message?));
        }
        Ok(())
    }

    fn on_done(&mut self, done: Done) {
        if done.run.session != self.number {
            return;
        }
        match done.result {
            Ok(result) => self.inputs.push_back(Input::Ended(result)),
            Err(NoResult::Failed(fault)) => {
                tracing::warn!(attempt = %done.run.attempt, ?fault, "a guest couldn't be run");
                self.inputs
                    .push_back(Input::Failed(done.run.attempt, fault));
            }
            Err(NoResult::Stopped) => {}
        }
    }

    fn on_read(&mut self, (digest, bytes): Read) {
        let input = match bytes {
            Some(bytes) => {
                self.provider.blobs.store(digest, bytes);
                Input::Have(digest)
            }
            None => Input::Missing(digest),
        };
        self.inputs.push_back(input);
    }

    fn on_signal(&mut self) {
        if self.leave_at.is_some() {
            self.inputs.push_back(Input::Leave);
            return;
        }
        let patience = self.provider.config.drain_timeout;
        tracing::info!(running = self.session.running(), ?patience, "draining");
        self.leave_at = Some(Instant::now() + patience);
        self.inputs.push_back(Input::Drain);
    }

    fn handle_inputs(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            let now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.session.handle(now_us, input, &mut self.effects);
            self.carry_out();
        }
        self.provider.executor.wake();
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.carry_out_one(effect);
        }
        self.effects = effects;
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::SendHello(hello) => {
                let packed = self.frames.push(&hello);
                self.frames.end();
                self.on_packed(packed);
            }
            Effect::Send(message) => {
                let packed = self.frames.push(&message);
                self.on_packed(packed);
            }
            Effect::SendBulk(header, bytes) => self.connection.send_bulk(header, bytes),
            Effect::Locate(blob, used) => match self.provider.blobs.locate(blob, used) {
                Place::Here => self.inputs.push_back(Input::Have(blob.digest)),
                Place::Missing => self.inputs.push_back(Input::Missing(blob.digest)),
                Place::Disk(path) => {
                    let reads = self.reads.0.clone();
                    tokio::task::spawn_blocking(move || {
                        _ = reads.send((blob.digest, blobs::read(&path, blob.digest)));
                    });
                }
            },
            Effect::Release(digest) => self.provider.blobs.release(digest),
            Effect::Welcomed(welcome) => self.on_welcome(&welcome),
            Effect::Start(assignment) => self.start(*assignment),
            Effect::Stop(attempt) => self.provider.executor.stop(self.run(attempt)),
            Effect::Close(reason) => self.closed = Some(reason),
        }
    }

    fn on_packed(&mut self, packed: Result<Packed, WireError>) {
        match packed {
            Ok(Packed::Framed) => {}
            Ok(Packed::TooLarge(bytes)) => {
                let header = BulkHeader::Message {
                    size: bytes.len() as u64,
                };
                self.connection.send_bulk(header, bytes.into());
            }
            Err(error) => tracing::error!(%error, "a message can't be encoded"),
        }
    }

    fn on_welcome(&mut self, welcome: &Welcome) {
        self.welcomed = true;
        let Provider {
            broker,
            capacity,
            announced,
            ..
        } = &mut *self.provider;
        tracing::info!(provider = %welcome.provider, broker = broker.url(), transport = %self.connection.kind(), "in the pool");
        if !std::mem::replace(announced, true) {
            let mut stdout = std::io::stdout().lock();
            let ready = writeln!(
                stdout,
                "wasipool-provider ready broker={} provider={} slots={}",
                broker.url(),
                welcome.provider,
                capacity.slots
            );
            // Whoever closed stdout doesn't want to know.
            _ = ready.and_then(|()| stdout.flush());
        }
    }

    fn start(&mut self, assignment: Assignment) {
        let Assignment {
            attempt,
            task,
            module,
            label,
            spec,
        } = assignment;
        tracing::debug!(%attempt, %task, label, "starts");
        let find = |digest: Digest| {
            let found = self.provider.blobs.get(&digest).cloned();
            found.ok_or_else(|| Fault::Internal(format!("{digest} is not at hand")))
        };
        let found: Result<HashMap<_, _>, _> = spec
            .blobs()
            .map(|blob| Ok((blob.digest, find(blob.digest)?)))
            .collect();
        match find(module.digest).and_then(|wasm| Ok((wasm, found?))) {
            Ok((wasm, blobs)) => {
                let spec = spec.into();
                let index = task.index;
                let job = Job {
                    attempt,
                    index,
                    module: module.digest,
                    wasm,
                    spec,
                    blobs,
                };
                self.provider.executor.submit(self.run(attempt), job);
            }
            Err(fault) => self.inputs.push_back(Input::Failed(attempt, fault)),
        }
    }

    fn run(&self, attempt: wasipool_shared::ids::AttemptId) -> RunId {
        RunId {
            session: self.number,
            attempt,
        }
    }

    fn flush(&mut self) {
        if !self.frames.is_empty() {
            self.connection.send_frames(self.frames.take());
        }
    }
}
