//! The wire format: what goes over a session's streams, to the byte.
//!
//! `docs/PROTOCOL.md` is the specification; its worked examples are tested
//! against this module.
//!
//! - [`version`]: which protocol versions there are and how two ends agree.
//! - [`message`]: what is said, both ways.
//! - [`frame`]: how messages are packed into frames of the control stream.
//! - [`bulk`]: headers of the unidirectional streams that carry large things.
//! - [`piece`]: both kinds of stream in the messages of one WebSocket.

pub mod bulk;
pub mod frame;
pub(crate) mod list;
pub mod message;
pub mod piece;
pub mod version;

/// The path of a session, by WebTransport and by WebSocket.
pub const PATH: &str = "/wasipool/1";
/// The subprotocol that a WebSocket names.
pub const SUBPROTOCOL: &str = "wasipool.1";

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A frame's length is over the limit.
    #[error("a frame of {size} bytes is over the limit of {limit}")]
    FrameTooLarge {
        /// What its header says.
        size: u64,
        /// What is allowed.
        limit: usize,
    },
    /// A frame's length is 0.
    #[error("a frame without content")]
    EmptyFrame,
    /// The content doesn't decode.
    #[error("a message that does not decode: {0}")]
    Malformed(postcard::Error),
    /// A value is outside of what the protocol allows.
    #[error("{what} of {size} is over the limit of {limit}")]
    OverLimit {
        /// Which value.
        what: &'static str,
        /// What it is.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The stream ended inside of a frame or header.
    #[error("the stream ended in the middle of a frame or header")]
    Cut,
    /// Bytes are left where none should be.
    #[error("{0} bytes are left after the message")]
    Trailing(usize),
    /// What came makes no sense there.
    #[error("{0}")]
    Invalid(&'static str),
}

impl From<postcard::Error> for WireError {
    fn from(error: postcard::Error) -> Self {
        match error {
            postcard::Error::DeserializeUnexpectedEnd => Self::Cut,
            error => Self::Malformed(error),
        }
    }
}
