//! The control stream and the bulk streams of a session over one WebSocket.
//!
//! Both ends run this code. It knows no socket: whoever has one writes what
//! [`Mux::next_piece`] gives, hands what comes to [`Mux::receive`], and calls
//! [`Mux::close`] when the socket is gone.
//!
//! ```text
//!  read_control, write_control ┐             ┌ next_piece ─▶ socket
//!  accept ─▶ Incoming          ├─── Mux ─────┤
//!  open ─▶ Outgoing            ┘             └ receive ◀─── socket
//! ```
//!
//! The control stream goes first, bulk streams take turns piece by piece: a
//! ping waits for a piece, never for a blob. A bulk stream is sent as far as its
//! receiver has given credit by taking what came before, so that what is
//! buffered is limited: see [`STREAM_WINDOW_BYTES`] and [`SOCKET_WINDOW_BYTES`].
//!
//! It runs on any executor: it only uses wakers. Each of the ends of a stream
//! is for one task.

mod receiving;
mod sending;
mod streams;
#[cfg(test)]
mod tests;

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits::{BULK_STREAMS_MAX, PIECE_BYTES_MAX, SOCKET_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use crate::wire::WireError;
use crate::wire::piece::Piece;
use receiving::Receiving;
use sending::{CONTROL_WAITING_BYTES, Sending};
pub use streams::{Incoming, Outgoing, WriteError};

/// Bytes of the control stream that nobody has taken yet before the socket is
/// to be read no further.
const CONTROL_BUFFER_BYTES: usize = 4 * PIECE_BYTES_MAX;

/// The other end broke a rule: the socket is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A message that isn't a piece.
    #[error(transparent)]
    Piece(#[from] WireError),
    /// A piece that continues what isn't open, or begins what is.
    #[error("a piece of stream {0} that doesn't belong there")]
    Unknown(u32),
    /// Too many bulk streams.
    #[error("more than {BULK_STREAMS_MAX} bulk streams at a time")]
    Streams,
    /// More bytes than there was credit for.
    #[error(
        "more of stream {0} than there was credit for ({STREAM_WINDOW_BYTES} bytes a stream, \
         {SOCKET_WINDOW_BYTES} in all)"
    )]
    Window(u32),
    /// Credit for bytes that weren't sent.
    #[error("credit for bytes that were not sent")]
    Credit,
}

/// Nothing more comes or goes, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Closed(pub Arc<str>);

/// See the [module](self); clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Mux(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    sending: Sending,
    receiving: Receiving,
    /// Who writes pieces to the socket, while there is none.
    writer: Option<Waker>,
    /// Who waits for the end.
    watchers: Vec<Waker>,
    closed: Option<Closed>,
}

impl State {
    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// What there is of it, or the reason why there will be no more.
    fn or_closed<T>(&self, found: Option<T>) -> Option<Result<T, Closed>> {
        match (found, &self.closed) {
            (Some(found), _) => Some(Ok(found)),
            (None, Some(closed)) => Some(Err(closed.clone())),
            (None, None) => None,
        }
    }
}

fn wait(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}

impl Mux {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message that came.
    ///
    /// # Errors
    /// If the other end broke a rule.
    pub fn receive(&self, message: Bytes) -> Result<(), Broken> {
        let mut state = self.lock();
        match Piece::decode(message)? {
            Piece::Control { content, last } => state.receiving.on_control(&content, last)?,
            Piece::Bulk {
                stream,
                content,
                first,
                last,
            } => {
                let dropped = state.receiving.on_bulk(stream, &content, first, last)?;
                state.sending.credit(stream, dropped);
            }
            Piece::Credit { stream, bytes } => state.sending.on_credit(stream, bytes)?,
            Piece::Stop { stream } => state.sending.on_stop(stream),
        }
        state.wake_writer();
        Ok(())
    }

    /// Waits until the control stream takes more: before the next message is
    /// read from the socket.
    pub async fn room(&self) {
        poll_fn(|context| {
            let mut state = self.lock();
            let receiving = &mut state.receiving;
            if receiving.control.len() < CONTROL_BUFFER_BYTES {
                return Poll::Ready(());
            }
            wait(&mut receiving.room_waiting, context);
            // Whoever closes wakes this one too; it finds out by its socket.
            if state.closed.is_some() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    /// The next message for the socket; nothing when this is closed.
    pub async fn next_piece(&self) -> Option<Piece> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    fn poll_piece(&self, context: &Context<'_>) -> Poll<Option<Piece>> {
        let mut state = self.lock();
        if state.closed.is_some() {
            return Poll::Ready(None);
        }
        match state.sending.next() {
            Some(piece) => Poll::Ready(Some(piece)),
            None => {
                wait(&mut state.writer, context);
                Poll::Pending
            }
        }
    }

    /// Ends everything: the socket is gone, or is to go. The first reason
    /// counts.
    pub fn close(&self, reason: &str) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.closed = Some(Closed(reason.into()));
        }
        state.sending.wake_all();
        state.receiving.wake_all();
        state.wake_writer();
        state.watchers.drain(..).for_each(Waker::wake);
    }

    /// Waits for the end; says why.
    pub async fn closed(&self) -> Closed {
        poll_fn(|context| {
            let mut state = self.lock();
            match &state.closed {
                Some(closed) => Poll::Ready(closed.clone()),
                None => {
                    if !state
                        .watchers
                        .iter()
                        .any(|it| it.will_wake(context.waker()))
                    {
                        state.watchers.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// What has come of the control stream; nothing at its end.
    ///
    /// # Errors
    /// If this was closed before the stream ended.
    pub async fn read_control(&self) -> Result<Option<Bytes>, Closed> {
        poll_fn(|context| {
            let mut state = self.lock();
            let receiving = &mut state.receiving;
            let found = match receiving.control.is_empty() {
                false => Some(Some(receiving.control.split().freeze())),
                true => receiving.control_ended.then_some(None),
            };
            receiving
                .room_waiting
                .take()
                .into_iter()
                .for_each(Waker::wake);
            if found.is_none() {
                wait(&mut receiving.control_waiting, context);
            }
            ready(state.or_closed(found))
        })
        .await
    }

    /// Adds bytes to the control stream; waits as long as too many wait.
    ///
    /// # Errors
    /// If this is closed.
    pub async fn write_control(&self, bytes: Bytes) -> Result<(), Closed> {
        let room = |state: &State| state.sending.control.len() < CONTROL_WAITING_BYTES;
        self.control_until(room).await?;
        let mut state = self.lock();
        state.sending.control.push(bytes);
        state.wake_writer();
        Ok(())
    }

    /// Ends the control stream; waits until its end is with the socket.
    ///
    /// # Errors
    /// If this is closed.
    pub async fn finish_control(&self) -> Result<(), Closed> {
        self.end_control();
        self.control_until(|state| state.sending.control_last_sent)
            .await
    }

    fn end_control(&self) {
        let mut state = self.lock();
        state.sending.control_ended = true;
        state.wake_writer();
    }

    async fn control_until(&self, done: impl Fn(&State) -> bool) -> Result<(), Closed> {
        poll_fn(|context| {
            let mut state = self.lock();
            let found = done(&state).then_some(());
            let found = state.or_closed(found);
            if found.is_none() {
                wait(&mut state.sending.control_waiting, context);
            }
            ready(found)
        })
        .await
    }

    /// The next bulk stream that the other end opens.
    ///
    /// # Errors
    /// If this is closed.
    pub async fn accept(&self) -> Result<Incoming, Closed> {
        let stream = poll_fn(|context| {
            let mut state = self.lock();
            let found = state.receiving.accept();
            if found.is_none() {
                wait(&mut state.receiving.acceptor, context);
            }
            ready(state.or_closed(found))
        })
        .await?;
        Ok(Incoming {
            mux: self.clone(),
            stream,
        })
    }

    /// Opens a bulk stream; waits as long as there are too many.
    ///
    /// # Errors
    /// If this is closed.
    pub async fn open(&self) -> Result<Outgoing, Closed> {
        let stream = poll_fn(|context| {
            let mut state = self.lock();
            if let Some(closed) = &state.closed {
                return Poll::Ready(Err(closed.clone()));
            }
            match state.sending.open() {
                Some(stream) => Poll::Ready(Ok(stream)),
                None => {
                    state.sending.openers.push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await?;
        Ok(Outgoing {
            mux: self.clone(),
            stream,
        })
    }
}

fn ready<T>(found: Option<T>) -> Poll<T> {
    found.map_or(Poll::Pending, Poll::Ready)
}
