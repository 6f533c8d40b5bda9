//! What carries a session, and which of it a provider tries.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum TransportKind {
    /// HTTP/3, by UDP.
    WebTransport,
    /// HTTP/1.1, by TCP: where UDP is blocked.
    WebSocket,
}

impl TransportKind {
    /// `webtransport` or `websocket`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebTransport => "webtransport",
            Self::WebSocket => "websocket",
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person wants a provider to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    /// WebTransport, or else a WebSocket.
    #[default]
    Auto,
    /// This and nothing else.
    Only(TransportKind),
}

/// A wish that there isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transport is auto, webtransport or websocket")]
pub struct UnknownWish;

impl FromStr for Wish {
    type Err = UnknownWish;

    fn from_str(text: &str) -> Result<Self, UnknownWish> {
        match text {
            "auto" => Ok(Self::Auto),
            "webtransport" => Ok(Self::Only(TransportKind::WebTransport)),
            "websocket" => Ok(Self::Only(TransportKind::WebSocket)),
            _ => Err(UnknownWish),
        }
    }
}

/// How long WebTransport may take to come about where there is something else
/// to try, in milliseconds.
pub const ATTEMPT_MS: u32 = 3_000;
/// How long a provider does without WebTransport once it didn't come about and
/// a WebSocket did, in milliseconds.
pub const RETRY_MS: u64 = 5 * 60 * 1_000;

/// Which transport a provider tries next, from session to session.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    wish: Wish,
    /// When WebTransport was last found not to work.
    blocked_ms: Option<u64>,
}

impl Choice {
    /// Nothing has been tried.
    #[must_use]
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            blocked_ms: None,
        }
    }

    /// What a new connection begins with at `now_ms`, of any clock that goes on.
    #[must_use]
    pub fn first(&self, now_ms: u64) -> TransportKind {
        match (self.wish, self.blocked_ms) {
            (Wish::Only(kind), _) => kind,
            (Wish::Auto, Some(at)) if now_ms.saturating_sub(at) < RETRY_MS => {
                TransportKind::WebSocket
            }
            (Wish::Auto, _) => TransportKind::WebTransport,
        }
    }

    /// Whether there is something else to try if this doesn't come about.
    #[must_use]
    pub fn has_other(&self, kind: TransportKind) -> bool {
        self.wish == Wish::Auto && kind == TransportKind::WebTransport
    }

    /// It didn't come about: what to try at once instead, if anything.
    #[must_use]
    pub fn failed(&mut self, kind: TransportKind, now_ms: u64) -> Option<TransportKind> {
        let other = self.has_other(kind);
        // Where nothing works, it isn't UDP alone that is blocked.
        self.blocked_ms = other.then_some(now_ms);
        other.then_some(TransportKind::WebSocket)
    }

    /// It came about.
    pub fn worked(&mut self, kind: TransportKind) {
        if kind == TransportKind::WebTransport {
            self.blocked_ms = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TransportKind::{WebSocket, WebTransport};
    use super::*;

    #[test]
    fn a_websocket_follows_a_failed_webtransport_and_stays_a_while() {
        let mut choice = Choice::default();
        assert_eq!(choice.first(0), WebTransport);
        assert_eq!(choice.failed(WebTransport, 1_000), Some(WebSocket));
        choice.worked(WebSocket);
        assert_eq!(choice.first(1_000 + RETRY_MS - 1), WebSocket);
        assert_eq!(choice.first(1_000 + RETRY_MS), WebTransport);
        choice.worked(WebTransport);
        assert_eq!(choice.first(1_001 + RETRY_MS), WebTransport);
    }

    #[test]
    fn where_nothing_works_webtransport_stays_the_first() {
        let mut choice = Choice::new("auto".parse().unwrap());
        assert_eq!(choice.failed(WebTransport, 5), Some(WebSocket));
        assert_eq!(choice.failed(WebSocket, 6), None);
        assert_eq!(choice.first(7), WebTransport);
    }

    #[test]
    fn a_wish_is_all_there_is() {
        for kind in [WebTransport, WebSocket] {
            let mut choice = Choice::new(kind.as_str().parse().unwrap());
            assert_eq!(choice.first(0), kind);
            assert_eq!(choice.failed(kind, 0), None);
            assert_eq!(choice.first(1), kind);
        }
        assert_eq!("tcp".parse::<Wish>(), Err(UnknownWish));
    }
}
