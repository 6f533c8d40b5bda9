//! Frames of the control stream.
//!
//! A frame is its content's length (`u32`, little-endian, 1 to
//! [`FRAME_BYTES_MAX`]) and the content: one message or more, back to back.
//! Many small messages make one frame, one write, one packet.

use bytes::{Buf as _, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::WireError;
use crate::limits::FRAME_BYTES_MAX;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 4;

/// Packs messages into frames, as many into each as fit.
#[derive(Debug, Default)]
pub struct FrameWriter {
    buffer: BytesMut,
    /// Where the header of the frame that still takes messages starts.
    open: Option<usize>,
}

/// What became of a message that was to be packed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a message that is too large for a frame has to go on a stream of its own"]
pub enum Packed {
    /// It is in the buffer.
    Framed,
    /// It is larger than a frame: its encoding, for a
    /// [bulk stream](super::bulk::BulkHeader::Message).
    TooLarge(Vec<u8>),
}

impl FrameWriter {
    /// Adds a message to the frame that is open, or to a new one.
    ///
    /// # Errors
    /// Never for the messages of this protocol: only if a type can't be
    /// encoded at all.
    pub fn push<M: Serialize>(&mut self, message: &M) -> Result<Packed, WireError> {
        let start = match self.open {
            Some(start) => start,
            None => self.begin(),
        };
        let before = self.buffer.len();
        let writer = Extend(&mut self.buffer);
        postcard::serialize_with_flavor::<M, _, _>(message, writer)?;
        let size = self.buffer.len() - before;
        if size > FRAME_BYTES_MAX {
            let encoded = self.buffer.split_off(before).to_vec();
            if before == start + HEADER_BYTES {
                self.buffer.truncate(start);
                self.open = None;
            }
            return Ok(Packed::TooLarge(encoded));
        }
        if self.buffer.len() - start - HEADER_BYTES > FRAME_BYTES_MAX {
            // The frame is full: this message starts the next one.
            let message = self.buffer.split_off(before);
            self.end();
            self.begin();
            self.buffer.extend_from_slice(&message);
        }
        self.patch();
        Ok(Packed::Framed)
    }

    /// Ends the open frame, so that what follows is in a frame of its own.
    pub fn end(&mut self) {
        self.open = None;
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// All frames so far, ready to be written.
    pub fn take(&mut self) -> Bytes {
        self.open = None;
        self.buffer.split().freeze()
    }

    fn begin(&mut self) -> usize {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEADER_BYTES]);
        self.open = Some(start);
        start
    }

    fn patch(&mut self) {
        if let Some(start) = self.open {
            let size = self.buffer.len() - start - HEADER_BYTES;
            let header = u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
            self.buffer[start..start + HEADER_BYTES].copy_from_slice(&header);
        }
    }
}

struct Extend<'a>(&'a mut BytesMut);

impl postcard::ser_flavors::Flavor for Extend<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.extend_from_slice(&[byte]);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Cuts what a stream delivers into frames.
///
/// It holds at most one incomplete frame, so never more than the frame limit
/// and what was fed last.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Takes bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame's content.
    ///
    /// # Errors
    /// If a header announces nothing or more than a frame may hold. The stream
    /// can't be read any further then.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let size = u32::from_le_bytes(*header);
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(WireError::FrameTooLarge {
                size: size.into(),
                limit: FRAME_BYTES_MAX,
            });
        }
        if length == 0 {
            return Err(WireError::EmptyFrame);
        }
        if self.buffer.len() < HEADER_BYTES + length {
            self.buffer
                .reserve(HEADER_BYTES + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(HEADER_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// What to say when the stream ends here.
    ///
    /// # Errors
    /// [`WireError::Cut`] inside of a frame.
    pub fn finish(&self) -> Result<(), WireError> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(WireError::Cut)
        }
    }
}

/// Each message in a frame's content. After an error nothing follows.
pub fn messages<M: DeserializeOwned>(content: &[u8]) -> impl Iterator<Item = Result<M, WireError>> {
    let mut rest = content;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match postcard::take_from_bytes(rest) {
            Ok((message, left)) => {
                rest = left;
                Some(Ok(message))
            }
            Err(error) => {
                rest = &[];
                Some(Err(error.into()))
            }
        }
    })
}

/// The one message that is all of `bytes`.
///
/// # Errors
/// If it doesn't decode or something is left.
pub fn decode_one<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, WireError> {
    let (message, left) = postcard::take_from_bytes(bytes)?;
    if left.is_empty() {
        Ok(message)
    } else {
        Err(WireError::Trailing(left.len()))
    }
}

/// A message's encoding alone.
///
/// # Errors
/// Never for the messages of this protocol.
pub fn encode_one<M: Serialize>(message: &M) -> Result<Vec<u8>, WireError> {
    Ok(postcard::to_allocvec(message)?)
}
