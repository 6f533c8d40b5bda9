//! Messages of a WebSocket that carries a session: the control stream and the
//! bulk streams, cut into pieces.
//!
//! A piece is the stream's number (`u32`, little-endian; 0 is the control
//! stream), flags (`u8`), and up to [`PIECE_BYTES_MAX`] bytes of the stream.
//! Each end numbers the bulk streams that it sends from 1 on. [`crate::mux`]
//! makes streams of pieces.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::WireError;
use crate::limits::PIECE_BYTES_MAX;

/// Bytes before a piece's content.
pub const HEADER_BYTES: usize = 5;
/// Bytes of the largest message on the WebSocket.
pub const MESSAGE_BYTES_MAX: usize = HEADER_BYTES + PIECE_BYTES_MAX;

const FIRST: u8 = 1;
const LAST: u8 = 2;
const CREDIT: u8 = 4;
const STOP: u8 = 8;
const WHOLE: u8 = FIRST | LAST;

/// One message on the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the control stream.
    Control {
        /// Wherever it was cut.
        content: Bytes,
        /// The stream ends after them.
        last: bool,
    },
    /// Bytes of a bulk stream that this piece's sender sends.
    Bulk {
        /// Its number, from 1.
        stream: u32,
        /// Wherever it was cut.
        content: Bytes,
        /// The stream begins with them.
        first: bool,
        /// The stream ends after them.
        last: bool,
    },
    /// The receiver of a bulk stream has taken that many bytes of it: as many
    /// more may be sent.
    Credit {
        /// The stream's number.
        stream: u32,
        /// How many bytes.
        bytes: u32,
    },
    /// The receiver of a bulk stream wants no more of it: it is to be ended.
    Stop {
        /// The stream's number.
        stream: u32,
    },
}

impl Piece {
    /// The message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        match self {
            Self::Control { content, last } => message(0, flag(*last, LAST), content),
            Self::Bulk {
                stream,
                content,
                first,
                last,
            } => message(*stream, flag(*first, FIRST) | flag(*last, LAST), content),
            Self::Credit { stream, bytes } => message(*stream, CREDIT, &bytes.to_le_bytes()),
            Self::Stop { stream } => message(*stream, STOP, &[]),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// If it is too short or too long, its flags don't go together, or it says
    /// nothing.
    pub fn decode(mut message: Bytes) -> Result<Self, WireError> {
        let Some(header) = message.first_chunk::<HEADER_BYTES>() else {
            return Err(WireError::Cut);
        };
        let &[a, b, c, d, flags] = header;
        let stream = u32::from_le_bytes([a, b, c, d]);
        let content = message.split_off(HEADER_BYTES);
        if content.len() > PIECE_BYTES_MAX {
            return Err(WireError::OverLimit {
                what: "a piece",
                size: content.len() as u64,
                limit: PIECE_BYTES_MAX as u64,
            });
        }
        let (first, last) = (flags & FIRST != 0, flags & LAST != 0);
        match flags {
            0 | FIRST | LAST | WHOLE if content.is_empty() && (first || !last) => {
                Err(WireError::Invalid("a piece without content"))
            }
            0 | LAST if stream == 0 => Ok(Self::Control { content, last }),
            0 | FIRST | LAST | WHOLE if stream != 0 => Ok(Self::Bulk {
                stream,
                content,
                first,
                last,
            }),
            CREDIT if stream != 0 => {
                let bytes = <[u8; 4]>::try_from(&*content)
                    .map_err(|_| WireError::Invalid("a credit that is not of four bytes"))?;
                match u32::from_le_bytes(bytes) {
                    0 => Err(WireError::Invalid("a credit of nothing")),
                    bytes => Ok(Self::Credit { stream, bytes }),
                }
            }
            STOP if stream != 0 && content.is_empty() => Ok(Self::Stop { stream }),
            _ => Err(WireError::Invalid(
                "flags of a piece that don't go together",
            )),
        }
    }
}

fn message(stream: u32, flags: u8, content: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(HEADER_BYTES + content.len());
    message.put_u32_le(stream);
    message.put_u8(flags);
    message.put_slice(content);
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(message: &[u8]) -> Result<Piece, WireError> {
        Piece::decode(Bytes::copy_from_slice(message))
    }

    #[test]
    fn what_says_nothing_or_contradicts_itself_is_refused() {
        for wrong in [
            &[][..],
            &[0, 0, 0, 0],
            // Nothing in it, and not an end.
            &[0, 0, 0, 0, 0],
            &[1, 0, 0, 0, FIRST],
            &[1, 0, 0, 0, FIRST | LAST],
            // The control stream has no beginning, no credit, no stop.
            &[0, 0, 0, 0, FIRST, 7],
            &[0, 0, 0, 0, FIRST | LAST, 7],
            &[0, 0, 0, 0, CREDIT, 1, 0, 0, 0],
            &[0, 0, 0, 0, STOP],
            // Credits.
            &[1, 0, 0, 0, CREDIT, 0, 0, 0, 0],
            &[1, 0, 0, 0, CREDIT, 1, 0, 0],
            &[1, 0, 0, 0, CREDIT, 1, 0, 0, 0, 0],
            &[1, 0, 0, 0, CREDIT | LAST, 1, 0, 0, 0],
            // A stop with something in it, a flag that there isn't.
            &[1, 0, 0, 0, STOP, 1],
            &[1, 0, 0, 0, STOP | CREDIT, 1, 0, 0, 0],
            &[1, 0, 0, 0, 16, 1],
        ] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
        assert!(decode(&[0, 0, 0, 0, LAST]).is_ok(), "the end, with nothing");
        assert!(decode(&[1, 0, 0, 0, LAST]).is_ok(), "the end, with nothing");
    }

    #[test]
    fn a_piece_holds_its_limit_and_no_more() {
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        assert!(decode(&message).is_ok());
        message.push(0);
        let error = decode(&message).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a piece of 65537 is over the limit of 65536"
        );
    }
}
