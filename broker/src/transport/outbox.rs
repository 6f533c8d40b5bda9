//! What waits to be written to one session.
//!
//! The driver packs messages straight into frames here; the session's writer
//! takes all of them at once. It is woken only when there was nothing before,
//! so that under load many messages make one write.

use parking_lot::Mutex;
use tokio::sync::Notify;
use wasipool_shared::wire::frame::{FrameWriter, Packed};
use wasipool_shared::wire::message::ToProvider;

/// See the module. Its size is bounded by the credit that the core gives the
/// provider: nothing but assignments is large.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: FrameWriter,
    /// Encodings of messages that don't fit into a frame.
    large: Vec<Vec<u8>>,
    closed: bool,
}

/// What the writer has to send.
#[derive(Debug)]
pub struct Batch {
    /// Frames for the control stream.
    pub frames: bytes::Bytes,
    /// Messages for streams of their own.
    pub large: Vec<Vec<u8>>,
    /// Nothing follows.
    pub closed: bool,
}

impl Outbox {
    /// Adds a message.
    pub fn push(&self, message: &ToProvider) {
        let mut waiting = self.waiting.lock();
        let was_empty = waiting.frames.is_empty() && waiting.large.is_empty();
        match waiting.frames.push(message) {
            Ok(Packed::Framed) => {}
            Ok(Packed::TooLarge(encoded)) => waiting.large.push(encoded),
            Err(error) => tracing::error!(%error, "a message can't be encoded"),
        }
        drop(waiting);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Lets the writer end after what waits.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits until there is something to send and takes all of it.
    pub async fn take(&self) -> Batch {
        loop {
            {
                let mut waiting = self.waiting.lock();
                if waiting.closed || !waiting.frames.is_empty() || !waiting.large.is_empty() {
                    return Batch {
                        frames: waiting.frames.take(),
                        large: core::mem::take(&mut waiting.large),
                        closed: waiting.closed,
                    };
                }
            }
            self.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasipool_shared::wire::frame::{FrameReader, messages};

    #[tokio::test]
    async fn many_messages_are_taken_at_once_and_in_order() {
        let outbox = Outbox::default();
        for number in 0..100 {
            outbox.push(&ToProvider::Pong(number));
        }
        outbox.close();
        let batch = outbox.take().await;
        assert!(batch.closed);
        let mut reader = FrameReader::default();
        reader.feed(&batch.frames);
        let frame = reader.next_frame().unwrap().unwrap();
        let all: Vec<_> = messages::<ToProvider>(&frame).map(Result::unwrap).collect();
        assert_eq!(all, (0..100).map(ToProvider::Pong).collect::<Vec<_>>());
    }
}
