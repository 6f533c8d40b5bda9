//! Both ends of one bulk stream.

use core::future::poll_fn;
use core::task::Poll;

use bytes::Bytes;

use super::{Closed, Mux, ready, wait};
use crate::limits::PIECE_BYTES_MAX;

/// A bulk stream that the other end sends. Dropped before its end, the other
/// end is told to stop.
#[derive(Debug)]
pub struct Incoming {
    pub(super) mux: Mux,
    pub(super) stream: u32,
}

impl Incoming {
    /// What has come; nothing at the stream's end.
    ///
    /// # Errors
    /// If the mux was closed before the stream ended.
    pub async fn read(&mut self) -> Result<Option<Bytes>, Closed> {
        poll_fn(|context| {
            let mut state = self.mux.lock();
            let found = state.receiving.read(self.stream);
            if let Some(Some(bytes)) = &found {
                // A window fits.
                state.sending.credit(self.stream, bytes.len() as u32);
                state.wake_writer();
            } else if let Some(stream) = state.receiving.stream(self.stream) {
                wait(&mut stream.waiting, context);
            }
            ready(state.or_closed(found))
        })
        .await
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut state = self.mux.lock();
        if let Some((bytes, tell)) = state.receiving.drop_stream(self.stream) {
            state.sending.credit(self.stream, bytes);
            if tell {
                state.sending.stop(self.stream);
            }
            state.wake_writer();
        }
    }
}

/// Why a bulk stream can't be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The whole mux is closed.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The other end wants no more of the stream.
    #[error("the other end wants no more of the stream")]
    Stopped,
}

/// A bulk stream that this end sends. Dropped before it is finished, it ends
/// where it is.
#[derive(Debug)]
pub struct Outgoing {
    pub(super) mux: Mux,
    pub(super) stream: u32,
}

impl Outgoing {
    /// Adds bytes; waits until most of what was added before is sent.
    ///
    /// # Errors
    /// If nobody takes them any more.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), WriteError> {
        self.until(|waiting, _| waiting < PIECE_BYTES_MAX).await?;
        let mut state = self.mux.lock();
        if let Some(out) = state.sending.stream(self.stream) {
            out.chunks.push(bytes);
        }
        state.sending.line_up(self.stream);
        state.wake_writer();
        Ok(())
    }

    /// Ends the stream; waits until all of it is with the socket.
    ///
    /// # Errors
    /// If nobody takes the rest any more.
    pub async fn finish(self) -> Result<(), WriteError> {
        self.end();
        self.until(|_, sent| sent).await
    }

    fn end(&self) {
        let mut state = self.mux.lock();
        if let Some(out) = state.sending.stream(self.stream) {
            out.ended = true;
        }
        state.sending.line_up(self.stream);
        state.wake_writer();
    }

    /// Waits for a state of the stream: bytes that wait, whether all is sent.
    async fn until(&self, done: impl Fn(usize, bool) -> bool) -> Result<(), WriteError> {
        poll_fn(|context| {
            let mut state = self.mux.lock();
            let closed = state.closed.clone();
            let Some(out) = state.sending.stream(self.stream) else {
                // All of it is sent and taken.
                return Poll::Ready(Ok(()));
            };
            match closed {
                _ if out.stopped => Poll::Ready(Err(WriteError::Stopped)),
                _ if done(out.chunks.len(), out.is_sent()) => Poll::Ready(Ok(())),
                Some(closed) => Poll::Ready(Err(closed.into())),
                None => {
                    wait(&mut out.waiting, context);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let mut state = self.mux.lock();
        if let Some(out) = state.sending.stream(self.stream)
            && !out.ended
        {
            state.sending.give_up(self.stream);
            state.wake_writer();
        }
    }
}
