//! What one end has to send: which piece is next.

use core::task::Waker;
use std::collections::{HashMap, VecDeque};

use bytes::{Buf as _, Bytes, BytesMut};

use super::Broken;
use crate::limits::{BULK_STREAMS_MAX, PIECE_BYTES_MAX, SOCKET_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use crate::wire::piece::Piece;

/// Bytes of the control stream that wait before its writer has to.
pub(super) const CONTROL_WAITING_BYTES: usize = 4 * PIECE_BYTES_MAX;

/// Chunks that wait to be cut into pieces.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    chunks: VecDeque<Bytes>,
    bytes: usize,
}

impl Chunks {
    pub(super) fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.bytes += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    /// As many bytes as there are, up to `most`: without a copy where one chunk
    /// has them all.
    fn take(&mut self, most: usize) -> Bytes {
        let size = self.bytes.min(most);
        self.bytes -= size;
        match self.chunks.front_mut() {
            Some(chunk) if chunk.len() > size => chunk.split_to(size),
            Some(chunk) if chunk.len() == size => self.chunks.pop_front().unwrap_or_default(),
            _ => self.gather(size),
        }
    }

    fn gather(&mut self, size: usize) -> Bytes {
        let mut gathered = BytesMut::with_capacity(size);
        while gathered.len() < size {
            let Some(chunk) = self.chunks.front_mut() else {
                break;
            };
            let some = chunk.len().min(size - gathered.len());
            gathered.extend_from_slice(&chunk[..some]);
            chunk.advance(some);
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
        gathered.freeze()
    }
}

/// A bulk stream on its way.
#[derive(Debug, Default)]
pub(super) struct Out {
    pub(super) chunks: Chunks,
    begun: bool,
    /// No more chunks will come.
    pub(super) ended: bool,
    /// Its last piece is sent.
    last_sent: bool,
    /// The receiver wants no more of it.
    pub(super) stopped: bool,
    /// Bytes that are sent and not taken.
    in_flight: u32,
    /// Whether it stands in the queue for its turn.
    in_turn: bool,
    /// Who writes it, while it waits.
    pub(super) waiting: Option<Waker>,
}

impl Out {
    /// Whether everything is sent.
    pub(super) fn is_sent(&self) -> bool {
        self.last_sent
    }

    fn wake(&mut self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sending {
    pub(super) control: Chunks,
    pub(super) control_ended: bool,
    pub(super) control_last_sent: bool,
    /// Who writes the control stream, while it waits.
    pub(super) control_waiting: Option<Waker>,
    /// Pieces about the streams that this end receives; they go first.
    notes: VecDeque<Piece>,
    streams: HashMap<u32, Out>,
    /// Streams that have something to send, and credit for it: one piece each.
    turns: VecDeque<u32>,
    /// Number of the stream that was opened last.
    opened: u32,
    /// Bytes of all streams that are sent and not taken.
    in_flight: u32,
    /// Who wants to open a stream, while there are too many.
    pub(super) openers: Vec<Waker>,
}

impl Sending {
    /// Opens a stream, if there may be one more.
    pub(super) fn open(&mut self) -> Option<u32> {
        if self.streams.len() >= BULK_STREAMS_MAX as usize {
            return None;
        }
        self.opened = self.opened.checked_add(1)?;
        self.streams.insert(self.opened, Out::default());
        Some(self.opened)
    }

    pub(super) fn stream(&mut self, stream: u32) -> Option<&mut Out> {
        self.streams.get_mut(&stream)
    }

    /// Tells the other end that so much of its stream is taken.
    pub(super) fn credit(&mut self, stream: u32, bytes: u32) {
        if bytes == 0 {
            return;
        }
        // One note is enough as long as it isn't sent.
        if let Some(Piece::Credit {
            stream: of,
            bytes: more,
        }) = self.notes.back_mut()
            && *of == stream
        {
            *more += bytes;
        } else {
            self.notes.push_back(Piece::Credit { stream, bytes });
        }
    }

    /// Tells the other end that no more of its stream is wanted.
    pub(super) fn stop(&mut self, stream: u32) {
        self.notes.push_back(Piece::Stop { stream });
    }

    /// The stream has got something to send.
    pub(super) fn line_up(&mut self, stream: u32) {
        let Some(out) = self.streams.get_mut(&stream) else {
            return;
        };
        let ends = out.ended && out.chunks.len() == 0;
        let sendable = out.chunks.len() > 0 && out.in_flight < STREAM_WINDOW_BYTES;
        if !out.last_sent && !out.in_turn && (ends || sendable) {
            out.in_turn = true;
            self.turns.push_back(stream);
        }
    }

    /// A stream is given up: what waits of it isn't sent.
    pub(super) fn give_up(&mut self, stream: u32) {
        let Some(out) = self.streams.get_mut(&stream) else {
            return;
        };
        out.chunks.clear();
        out.ended = true;
        if out.begun {
            self.line_up(stream);
        } else {
            // Nobody knows of it.
            out.last_sent = true;
            self.turns.retain(|other| *other != stream);
            self.forget(stream);
        }
    }

    /// The next piece: notes, then the control stream, then the bulk streams in
    /// turn, as far as there is credit.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if let Some(note) = self.notes.pop_front() {
            return Some(note);
        }
        self.next_control().or_else(|| self.next_bulk())
    }

    fn next_control(&mut self) -> Option<Piece> {
        let ends = self.control_ended && !self.control_last_sent;
        if self.control.len() == 0 && !ends {
            return None;
        }
        let content = self.control.take(PIECE_BYTES_MAX);
        let last = ends && self.control.len() == 0;
        self.control_last_sent |= last;
        self.control_waiting
            .take()
            .into_iter()
            .for_each(Waker::wake);
        Some(Piece::Control { content, last })
    }

    fn next_bulk(&mut self) -> Option<Piece> {
        let room = SOCKET_WINDOW_BYTES - self.in_flight;
        // Whoever has nothing but an end to send needs no room.
        let next = self.turns.iter().position(|stream| {
            let out = self.streams.get(stream);
            room > 0 || out.is_some_and(|out| out.chunks.len() == 0)
        })?;
        let stream = self.turns.remove(next)?;
        let out = self.streams.get_mut(&stream)?;
        out.in_turn = false;
        let credit = room.min(STREAM_WINDOW_BYTES - out.in_flight);
        let content = out.chunks.take(PIECE_BYTES_MAX.min(credit as usize));
        // It fits: it is at most a piece.
        let size = content.len() as u32;
        out.in_flight += size;
        self.in_flight += size;
        let first = !out.begun;
        out.begun = true;
        out.last_sent = out.ended && out.chunks.len() == 0;
        let last = out.last_sent;
        out.wake();
        self.line_up(stream);
        self.forget(stream);
        Some(Piece::Bulk {
            stream,
            content,
            first,
            last,
        })
    }

    /// The other end has taken so much of a stream.
    pub(super) fn on_credit(&mut self, stream: u32, bytes: u32) -> Result<(), Broken> {
        let out = self.streams.get_mut(&stream).ok_or(Broken::Credit)?;
        out.in_flight = out.in_flight.checked_sub(bytes).ok_or(Broken::Credit)?;
        // Each byte in flight is one of a stream.
        self.in_flight -= bytes;
        self.line_up(stream);
        self.forget(stream);
        Ok(())
    }

    /// The other end wants no more of a stream.
    pub(super) fn on_stop(&mut self, stream: u32) {
        // If it isn't there, it ended meanwhile.
        if let Some(out) = self.streams.get_mut(&stream) {
            out.stopped = true;
            out.wake();
            self.give_up(stream);
        }
    }

    /// Forgets a stream of which everything is sent and taken.
    fn forget(&mut self, stream: u32) {
        let over = |out: &Out| out.last_sent && out.in_flight == 0;
        if self.streams.get(&stream).is_some_and(over) {
            self.streams.remove(&stream);
            self.openers.drain(..).for_each(Waker::wake);
        }
    }

    /// Wakes everybody who waits: nothing will be sent any more.
    pub(super) fn wake_all(&mut self) {
        self.control_waiting
            .take()
            .into_iter()
            .for_each(Waker::wake);
        self.openers.drain(..).for_each(Waker::wake);
        self.streams.values_mut().for_each(Out::wake);
    }
}
