//! What one end has received and nobody has taken yet.

use core::task::Waker;
use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};

use super::Broken;
use crate::limits::{BULK_STREAMS_MAX, SOCKET_WINDOW_BYTES, STREAM_WINDOW_BYTES};

/// A bulk stream that comes.
#[derive(Debug, Default)]
pub(super) struct In {
    buffer: BytesMut,
    ended: bool,
    /// Nobody wants the rest.
    dropped: bool,
    /// Who reads it, while there is nothing.
    pub(super) waiting: Option<Waker>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    pub(super) control: BytesMut,
    pub(super) control_ended: bool,
    /// Who reads the control stream, while there is nothing.
    pub(super) control_waiting: Option<Waker>,
    /// Who wants to put more into the control stream, while it is full.
    pub(super) room_waiting: Option<Waker>,
    streams: HashMap<u32, In>,
    /// Streams that nobody has accepted yet.
    arrived: VecDeque<u32>,
    /// Who accepts streams, while there is none.
    pub(super) acceptor: Option<Waker>,
    /// Bytes in the buffers of all streams.
    bytes: u32,
}

impl Receiving {
    pub(super) fn on_control(&mut self, content: &[u8], last: bool) -> Result<(), Broken> {
        if self.control_ended {
            return Err(Broken::Unknown(0));
        }
        self.control.extend_from_slice(content);
        self.control_ended = last;
        self.control_waiting
            .take()
            .into_iter()
            .for_each(Waker::wake);
        Ok(())
    }

    /// Takes a piece of a bulk stream; says how many bytes are dropped at once.
    pub(super) fn on_bulk(
        &mut self,
        stream: u32,
        content: &[u8],
        first: bool,
        last: bool,
    ) -> Result<u32, Broken> {
        if first {
            self.begin(stream)?;
        }
        // A piece is far smaller than that.
        let size = content.len() as u32;
        let all = self.bytes + size;
        let known = self.streams.get_mut(&stream);
        let stream_in = known.filter(|known| !known.ended);
        let stream_in = stream_in.ok_or(Broken::Unknown(stream))?;
        if all > SOCKET_WINDOW_BYTES || stream_in.buffer.len() as u32 + size > STREAM_WINDOW_BYTES {
            return Err(Broken::Window(stream));
        }
        stream_in.ended = last;
        if stream_in.dropped {
            if last {
                self.streams.remove(&stream);
            }
            return Ok(size);
        }
        self.bytes = all;
        stream_in.buffer.extend_from_slice(content);
        stream_in.waiting.take().into_iter().for_each(Waker::wake);
        if last && stream_in.buffer.is_empty() {
            // All of it was taken before its end came.
            self.streams.remove(&stream);
        }
        Ok(0)
    }

    fn begin(&mut self, stream: u32) -> Result<(), Broken> {
        if self.streams.contains_key(&stream) {
            return Err(Broken::Unknown(stream));
        }
        if self.streams.len() >= BULK_STREAMS_MAX as usize {
            return Err(Broken::Streams);
        }
        self.streams.insert(stream, In::default());
        self.arrived.push_back(stream);
        self.acceptor.take().into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// The next stream that nobody has accepted.
    pub(super) fn accept(&mut self) -> Option<u32> {
        self.arrived.pop_front()
    }

    pub(super) fn stream(&mut self, stream: u32) -> Option<&mut In> {
        self.streams.get_mut(&stream)
    }

    /// What has come of a stream; nothing at its end; none if that is still to
    /// come.
    pub(super) fn read(&mut self, stream: u32) -> Option<Option<Bytes>> {
        let Some(stream_in) = self.streams.get_mut(&stream) else {
            return Some(None);
        };
        if stream_in.buffer.is_empty() {
            return None;
        }
        let some = stream_in.buffer.split().freeze();
        self.bytes -= some.len() as u32;
        if stream_in.ended {
            self.streams.remove(&stream);
        }
        Some(Some(some))
    }

    /// Nobody reads the stream any more: says how many bytes that drops, and
    /// whether the sender has to be told to stop.
    pub(super) fn drop_stream(&mut self, stream: u32) -> Option<(u32, bool)> {
        let stream_in = self.streams.get_mut(&stream)?;
        let bytes = stream_in.buffer.len() as u32;
        stream_in.buffer = BytesMut::new();
        stream_in.dropped = true;
        let ended = stream_in.ended;
        self.bytes -= bytes;
        if ended {
            self.streams.remove(&stream);
        }
        Some((bytes, !ended))
    }

    /// Wakes everybody who waits: nothing will come any more.
    pub(super) fn wake_all(&mut self) {
        let own = [
            self.control_waiting.take(),
            self.room_waiting.take(),
            self.acceptor.take(),
        ];
        own.into_iter().flatten().for_each(Waker::wake);
        let streams = self.streams.values_mut();
        streams
            .filter_map(|it| it.waiting.take())
            .for_each(Waker::wake);
    }
}
