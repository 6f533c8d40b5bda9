//! Getting through to the broker, by what this browser and its network allow.

use std::rc::Rc;

use wasipool_shared::api::Transport;
use wasipool_shared::transport::{ATTEMPT_MS, Choice, TransportKind, Wish};

use super::failure::Failure;
use crate::connection::{Connection, Heard, OPEN_MS};
use crate::js::{has, monotonic_us};

/// Which transport this tab tries, from session to session.
pub(super) struct Reach(Choice);

impl Reach {
    /// Nothing has been tried.
    pub(super) fn new() -> Self {
        let wish = match has("WebTransport") {
            true => Wish::Auto,
            false => Wish::Only(TransportKind::WebSocket),
        };
        Self(Choice::new(wish))
    }

    /// Connects; tells `trouble` why something else had to be tried.
    pub(super) async fn connect(
        &mut self,
        to: &Transport,
        tell: Rc<dyn Fn(Heard)>,
        mut trouble: impl FnMut(&str),
    ) -> Result<Connection, Failure> {
        let Self(choice) = self;
        let now_ms = || (monotonic_us() / 1_000.0) as u64;
        let mut kind = choice.first(now_ms());
        loop {
            let patience_ms = match choice.has_other(kind) {
                true => ATTEMPT_MS,
                false => OPEN_MS,
            };
            match Connection::open(kind, to, patience_ms, Rc::clone(&tell)).await {
                Ok(connection) => {
                    choice.worked(kind);
                    return Ok(connection);
                }
                Err(failure) => match choice.failed(kind, now_ms()) {
                    Some(other) => {
                        trouble(&format!("{}; trying a {other}", failure.text()));
                        kind = other;
                    }
                    None => return Err(failure),
                },
            }
        }
    }
}
