//! One WebSocket that carries a session. Whoever has the socket itself gives it
//! as a stream and a sink of [`Packet`]s.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;
use wasipool_shared::mux::Mux;

use super::carrier::Ending;

/// What a WebSocket carries (RFC 6455).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A binary message.
    Binary(Bytes),
    /// A text message: not part of the protocol.
    Text,
    /// A ping; whoever has the socket answers those that come.
    Ping,
    /// The answer to one.
    Pong,
    /// The end, with its code and its reason.
    Close(u16, String),
}

/// The session is over.
const CODE_OVER: u16 = 1_000;
/// A rule was broken.
const CODE_BROKEN: u16 = 1_002;
/// Bytes of a reason in a close message, as RFC 6455 has it.
const REASON_BYTES_MAX: usize = 123;
/// How long the other end may take to close after this one has.
const GOODBYE: Duration = Duration::from_secs(2);

/// See the module; clones are the same.
#[derive(Clone)]
pub(super) struct Socket(Arc<Inner>);

struct Inner {
    mux: Mux,
    remote: IpAddr,
    round_trip: Mutex<RoundTrip>,
    /// Wakes who sends pings.
    measure: Notify,
    end: Mutex<Option<(u16, String)>>,
}

#[derive(Default)]
struct RoundTrip {
    /// When the ping was sent that wasn't answered yet.
    sent: Option<Instant>,
    micros: Option<u32>,
}

impl Socket {
    pub(super) fn new(remote: IpAddr) -> Self {
        Self(Arc::new(Inner {
            mux: Mux::default(),
            remote,
            round_trip: Mutex::default(),
            measure: Notify::new(),
            end: Mutex::default(),
        }))
    }

    pub(super) fn mux(&self) -> &Mux {
        &self.0.mux
    }

    pub(super) fn remote(&self) -> IpAddr {
        self.0.remote
    }

    /// The last measured round trip, in microseconds; starts another measure.
    pub(super) fn round_trip_us(&self) -> Option<u32> {
        self.0.measure.notify_one();
        self.0.round_trip.lock().micros
    }

    pub(super) fn close(&self, ending: Ending, reason: &str) {
        let code = match ending {
            Ending::Over | Ending::Refused => CODE_OVER,
            Ending::NoHello => CODE_BROKEN,
        };
        self.end(code, reason);
    }

    /// Ends it; the first reason counts.
    fn end(&self, code: u16, reason: &str) {
        let end = || (code, cut(reason).to_owned());
        self.0.end.lock().get_or_insert_with(end);
        self.0.mux.close(reason);
    }

    /// Moves packets until the session or the socket ends.
    pub(super) async fn carry<S, E>(&self, socket: S)
    where
        S: Stream<Item = Result<Packet, E>> + Sink<Packet> + Unpin,
        E: core::fmt::Display,
    {
        let (mut sink, mut stream) = socket.split();
        {
            let mut reading = core::pin::pin!(self.read(&mut stream));
            let mut writing = core::pin::pin!(self.write(&mut sink));
            tokio::select! {
                () = &mut reading => {}
                () = &mut writing => {}
                // Somebody who takes nothing can't be told anything either.
                () = self.overdue() => {}
            }
        }
        let end = self.0.end.lock().clone();
        let Some((code, reason)) = end else { return };
        // What was said last has to arrive: so the other end closes first.
        let goodbye = async {
            let _ = sink.send(Packet::Close(code, reason)).await;
            while let Some(Ok(_)) = stream.next().await {}
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Ends a while after the session did.
    async fn overdue(&self) {
        self.0.mux.closed().await;
        tokio::time::sleep(GOODBYE).await;
    }

    async fn read<E>(&self, stream: &mut (impl Stream<Item = Result<Packet, E>> + Unpin))
    where
        E: core::fmt::Display,
    {
        let mux = &self.0.mux;
        loop {
            mux.room().await;
            match stream.next().await {
                Some(Ok(Packet::Binary(message))) => {
                    if let Err(error) = mux.receive(message) {
                        return self.end(CODE_BROKEN, &error.to_string());
                    }
                }
                Some(Ok(Packet::Text)) => return self.end(CODE_BROKEN, "a text message"),
                Some(Ok(Packet::Pong)) => self.on_pong(),
                Some(Ok(Packet::Ping)) => {}
                Some(Ok(Packet::Close(..))) | None => return mux.close("the provider closed"),
                Some(Err(error)) => return mux.close(&error.to_string()),
            }
        }
    }

    fn on_pong(&self) {
        let mut round_trip = self.0.round_trip.lock();
        if let Some(sent) = round_trip.sent.take() {
            let micros = sent.elapsed().as_micros();
            round_trip.micros = Some(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    async fn write(&self, sink: &mut (impl Sink<Packet> + Unpin)) {
        loop {
            let packet = tokio::select! {
                biased;
                piece = self.0.mux.next_piece() => match piece {
                    Some(piece) => Packet::Binary(piece.encode()),
                    None => return,
                },
                () = self.0.measure.notified() => {
                    let mut round_trip = self.0.round_trip.lock();
                    if round_trip.sent.is_some() {
                        continue;
                    }
                    round_trip.sent = Some(Instant::now());
                    Packet::Ping
                }
            };
            if sink.send(packet).await.is_err() {
                return self.0.mux.close("the socket can't be written to");
            }
        }
    }
}

/// As much of a text as fits into a close message.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(REASON_BYTES_MAX)).rev();
    let end = end.into_iter().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}
