//! One provider's session, from its hello to its end, whatever carries it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::assemble::Assembler;
use super::bulk;
use super::carrier::{Carrier, Ending, Receiver, Sender};
use super::endpoint::Shared;
use super::outbox::Outbox;
use crate::driver::handle::Joined;
use crate::metrics::NO_LABELS;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use wasipool_shared::digest::Digest;
use wasipool_shared::ids::ProviderId;
use wasipool_shared::limits::{BULK_STREAMS_MAX, NAME_BYTES_MAX, PREFETCH_MAX, SLOTS_MAX};
use wasipool_shared::task::BlobRef;
use wasipool_shared::wire::bulk::BulkHeader;
use wasipool_shared::wire::frame::{FrameReader, FrameWriter, decode_one, messages};
use wasipool_shared::wire::message::{
    Hello, HelloReply, Refuse, RefuseCode, ToBroker, ToProvider, Welcome,
};
use wasipool_shared::wire::version::VersionRange;

/// Runs a session that was just accepted, until it ends.
pub(super) async fn run(shared: Arc<Shared>, carrier: Carrier) {
    let first = shared.settings.first_message;
    let remote = carrier.remote();
    let (hello, mut send, control) = match timeout(first, greet(&carrier)).await {
        Ok(Ok(greeting)) => greeting,
        Ok(Err(reason)) => {
            tracing::debug!(%remote, reason, "no hello");
            return carrier.close(Ending::NoHello, &reason);
        }
        Err(_) => {
            tracing::debug!(%remote, "no hello in time");
            return carrier.close(Ending::NoHello, "no hello in time");
        }
    };
    let (welcome, account) = match admit(&shared, &hello, remote) {
        Ok(admitted) => admitted,
        Err(refuse) => {
            tracing::info!(%remote, name = hello.name, code = ?refuse.code, text = refuse.text, "refused");
            return refuse_and_close(&carrier, send, refuse).await;
        }
    };
    let provider = welcome.provider;
    tracing::info!(%remote, %provider, name = hello.name, kind = hello.kind.as_str(), transport = carrier.kind().as_str(),
        slots = hello.capacity.slots, speed = hello.capacity.speed, "joined");
    let reply = first_frame(&HelloReply::Welcome(welcome));
    let reason = match send.write(reply).await {
        Ok(()) => serve(&shared, &carrier, (provider, account), hello, send, control).await,
        Err(error) => error,
    };
    tracing::info!(%provider, reason, "left");
    shared.driver.leave(provider, reason.clone()).await;
    carrier.close(Ending::Over, &reason);
}

type Greeting = (Hello, Sender, Control);

/// The control stream's receiving half with what has been read of it.
struct Control {
    stream: Receiver,
    frames: FrameReader,
}

impl Control {
    /// The next frame; nothing at the stream's proper end.
    async fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            if let Some(frame) = self
                .frames
                .next_frame()
                .map_err(|error| error.to_string())?
            {
                return Ok(Some(frame));
            }
            match self.stream.chunk().await? {
                Some(chunk) => self.frames.feed(&chunk),
                None => {
                    self.frames.finish().map_err(|error| error.to_string())?;
                    return Ok(None);
                }
            }
        }
    }
}

async fn greet(carrier: &Carrier) -> Result<Greeting, String> {
    let (send, stream) = carrier.control().await?;
    let mut control = Control {
        stream,
        frames: FrameReader::default(),
    };
    let frame = control
        .next()
        .await?
        .ok_or("the control stream ended before the hello")?;
    // The versions come first and never change their encoding, so that even a
    // hello of another version can be answered.
    let hello = match decode_one::<Hello>(&frame) {
        Ok(hello) => hello,
        Err(error) => {
            let range = postcard_range(&frame).ok_or_else(|| error.to_string())?;
            let refuse = wrong_version(range)
                .unwrap_or_else(|| invalid(format!("the hello does not decode: {error}")));
            refuse_and_close(carrier, send, refuse).await;
            return Err(error.to_string());
        }
    };
    Ok((hello, send, control))
}

fn postcard_range(frame: &[u8]) -> Option<VersionRange> {
    messages::<VersionRange>(frame).next()?.ok()
}

fn wrong_version(range: VersionRange) -> Option<Refuse> {
    let ours = VersionRange::OURS;
    ours.agree(range).is_none().then(|| Refuse {
        code: RefuseCode::Version,
        text: format!(
            "this broker speaks protocol {} to {}, the provider {} to {}: upgrade the {}",
            ours.min,
            ours.max,
            range.min,
            range.max,
            if range.max < ours.min {
                "provider"
            } else {
                "broker"
            }
        ),
    })
}

fn invalid(text: String) -> Refuse {
    Refuse {
        code: RefuseCode::Invalid,
        text,
    }
}

/// Whether this hello gets in, and the account of its ticket.
fn admit(shared: &Shared, hello: &Hello, address: IpAddr) -> Result<(Welcome, u64), Refuse> {
    if let Some(refuse) = wrong_version(hello.versions) {
        return Err(refuse);
    }
    for (what, text) in [("name", &hello.name), ("agent", &hello.agent)] {
        if text.len() > NAME_BYTES_MAX {
            let size = text.len();
            return Err(invalid(format!(
                "a {what} of {size} bytes is over {NAME_BYTES_MAX}"
            )));
        }
    }
    let (slots, limit) = (hello.capacity.slots, shared.settings.slots_max);
    if slots > limit {
        return Err(invalid(format!(
            "{slots} slots are over the limit of {limit}"
        )));
    }
    let Some(account) = shared.tickets.redeem(&hello.ticket) else {
        let text = "the ticket is unknown, used, or too old: get a new one by POST /v1/tickets";
        return Err(Refuse {
            code: RefuseCode::Ticket,
            text: text.into(),
        });
    };
    if let Some(refuse) = banned(shared, &hello.name, address) {
        return Err(refuse);
    }
    let idle_ms = u32::try_from(shared.settings.idle.as_millis()).unwrap_or(u32::MAX);
    let welcome = Welcome {
        protocol: VersionRange::OURS
            .agree(hello.versions)
            .unwrap_or(VersionRange::OURS.max),
        provider: shared.clock.provider_id(),
        idle_ms,
        heartbeat_ms: (idle_ms / 5).max(1),
        assignments_max: u32::from(SLOTS_MAX) + u32::from(PREFETCH_MAX),
    };
    Ok((welcome, account))
}

/// What an operator tells a provider that isn't wanted.
fn banned(shared: &Shared, name: &str, address: IpAddr) -> Option<Refuse> {
    let now = shared.clock.unix_ms();
    let ban = shared.settings.bans.of(name, address, now)?;
    Some(ban.refuse())
}

fn first_frame(reply: &HelloReply) -> Bytes {
    let mut frames = FrameWriter::default();
    if let Err(error) = frames.push(reply) {
        tracing::error!(%error, "the answer to a hello can't be encoded");
    }
    frames.take()
}

/// How long a provider that is sent away may take to read why.
const GOODBYE: Duration = Duration::from_secs(2);

async fn refuse_and_close(carrier: &Carrier, mut send: Sender, refuse: Refuse) {
    let reply = first_frame(&HelloReply::Refuse(refuse));
    if send.write(reply).await.is_ok() && send.finish().await.is_ok() {
        // The provider closes when it has read it; it is not waited for long.
        let _ = timeout(GOODBYE, carrier.closed()).await;
    }
    carrier.close(Ending::Refused, "refused");
}

/// What the parts of a session have in common.
struct Session {
    shared: Arc<Shared>,
    carrier: Carrier,
    provider: ProviderId,
    outbox: Arc<Outbox>,
    assembler: Mutex<Assembler>,
    sending: Semaphore,
}

/// Serves a provider that is in; says why it left.
async fn serve(
    shared: &Arc<Shared>,
    carrier: &Carrier,
    (provider, account): (ProviderId, u64),
    hello: Hello,
    send: Sender,
    control: Control,
) -> String {
    let outbox = Arc::new(Outbox::default());
    let (name, address) = (hello.name.clone(), carrier.remote());
    let session = Arc::new(Session {
        shared: shared.clone(),
        carrier: carrier.clone(),
        provider,
        outbox: outbox.clone(),
        assembler: Mutex::default(),
        sending: Semaphore::new(BULK_STREAMS_MAX as usize),
    });
    shared
        .driver
        .join(Joined {
            provider,
            name: hello.name,
            kind: hello.kind,
            transport: carrier.kind(),
            agent: hello.agent,
            capacity: hello.capacity,
            address: carrier.remote(),
            group: shared.group(carrier.remote()),
            account,
            outbox: outbox.clone(),
        })
        .await;
    // Who was banned while it got in doesn't stay either.
    if let Some(refuse) = banned(shared, &name, address) {
        outbox.push(&ToProvider::Bye(refuse));
        outbox.close();
    }
    let (wants, wanted) = mpsc::channel(1_024);
    tokio::select! {
        reason = read_control(&session, control, wants) => reason,
        reason = read_bulk(&session) => reason,
        reason = write(&session, send) => reason,
        () = serve_blobs(&session, wanted) => "the blob queue ended".into(),
        () = shared.stopping.cancelled() => "the broker stops".into(),
        reason = carrier.closed() => reason,
    }
}

async fn read_control(
    session: &Arc<Session>,
    mut control: Control,
    wants: mpsc::Sender<Digest>,
) -> String {
    let idle = session.shared.settings.idle;
    loop {
        let frame = match timeout(idle, control.next()).await {
            Ok(Ok(Some(frame))) => frame,
            Ok(Ok(None)) => return "the provider ended its control stream".into(),
            Ok(Err(error)) => return error,
            Err(_) => return format!("silent for {} s", idle.as_secs_f32()),
        };
        for message in messages::<ToBroker>(&frame) {
            let message = match message {
                Ok(message) => message,
                Err(error) => return error.to_string(),
            };
            if let Err(reason) = on_message(session, message, &wants).await {
                return reason;
            }
        }
    }
}

async fn on_message(
    session: &Session,
    message: ToBroker,
    wants: &mpsc::Sender<Digest>,
) -> Result<(), String> {
    let driver = &session.shared.driver;
    let provider = session.provider;
    match message {
        ToBroker::Ended(ended) => {
            let finished = session.assembler.lock().on_ended(ended);
            if let Some(finished) = finished.map_err(|error| error.to_string())? {
                driver.finished(provider, finished).await;
            }
        }
        ToBroker::Failed { attempt, fault } => driver.failed(provider, attempt, fault).await,
        ToBroker::Returned(attempt) => driver.returned(provider, attempt).await,
        ToBroker::Want(digest) => {
            wants
                .try_send(digest)
                .map_err(|_| "too many blobs asked for at a time")?;
        }
        ToBroker::Capacity(capacity) => {
            let (slots, limit) = (capacity.slots, session.shared.settings.slots_max);
            if slots > limit {
                return Err(format!("{slots} slots are over the limit of {limit}"));
            }
            driver.capacity(provider, capacity).await;
        }
        ToBroker::Ping(number) => {
            session.outbox.push(&ToProvider::Pong(number));
            if let Some(micros) = session.carrier.round_trip_us() {
                driver.round_trip(provider, micros).await;
            }
        }
        ToBroker::Draining => driver.drain(provider).await,
        ToBroker::Bye => return Err("said goodbye".into()),
    }
    Ok(())
}

async fn read_bulk(session: &Arc<Session>) -> String {
    let (failed, mut failure) = mpsc::channel::<String>(1);
    loop {
        let stream = tokio::select! {
            stream = session.carrier.accept_bulk() => stream,
            Some(reason) = failure.recv() => return reason,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return error,
        };
        let session = session.clone();
        let failed = failed.clone();
        // The transport's limit on streams bounds how many of these there are.
        tokio::spawn(async move {
            if let Err(reason) = on_stream(&session, stream).await {
                let _ = failed.try_send(reason);
            }
        });
    }
}

async fn on_stream(session: &Session, stream: Receiver) -> Result<(), String> {
    let (header, body) = bulk::receive(stream)
        .await
        .map_err(|error| error.to_string())?;
    let finished = match header {
        BulkHeader::Output { attempt, part, .. } => {
            session.assembler.lock().on_part(attempt, part, body)
        }
        BulkHeader::Message { .. } => match decode_one(&body).map_err(|error| error.to_string())? {
            ToBroker::Ended(ended) => session.assembler.lock().on_ended(ended),
            _ => return Err("only an outcome is ever too large for a frame".into()),
        },
        BulkHeader::Blob(_) => return Err("a provider doesn't send blobs".into()),
    };
    if let Some(finished) = finished.map_err(|error| error.to_string())? {
        session
            .shared
            .driver
            .finished(session.provider, finished)
            .await;
    }
    Ok(())
}

async fn write(session: &Arc<Session>, mut send: Sender) -> String {
    loop {
        let batch = session.outbox.take().await;
        if !batch.frames.is_empty()
            && let Err(error) = send.write(batch.frames).await
        {
            return error;
        }
        for encoded in batch.large {
            let session = session.clone();
            tokio::spawn(async move {
                let Ok(_permit) = session.sending.acquire().await else {
                    return;
                };
                if let Err(error) = bulk::send_message(&session.carrier, encoded).await {
                    tracing::debug!(provider = %session.provider, %error, "a large message was not sent");
                }
            });
        }
        if batch.closed {
            // It should hear why.
            let _ = timeout(GOODBYE, send.finish()).await;
            return "sent away".into();
        }
    }
}

/// Sends blobs that the provider asks for, a limited number at a time.
async fn serve_blobs(session: &Arc<Session>, mut wanted: mpsc::Receiver<Digest>) {
    while let Some(digest) = wanted.recv().await {
        let session = session.clone();
        tokio::spawn(async move {
            let Ok(_permit) = session.sending.acquire().await else {
                return;
            };
            let Some(bytes) = session.shared.store.blob(digest).await else {
                return session.outbox.push(&ToProvider::NoBlob(digest));
            };
            let blob = BlobRef {
                digest,
                size: bytes.len() as u64,
            };
            match bulk::send_blob(&session.carrier, blob, bytes).await {
                Ok(()) => {
                    let metrics = &session.shared.settings.metrics;
                    let sent = metrics.counter("wasipool_blob_bytes_sent_total", NO_LABELS);
                    sent.increment(blob.size);
                }
                Err(error) => {
                    let provider = session.provider;
                    tracing::debug!(%provider, %digest, %error, "a blob was not sent");
                }
            }
        });
    }
}
