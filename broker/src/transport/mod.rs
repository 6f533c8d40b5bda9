//! The providers' side of the broker: the only place that knows QUIC.
//!
//! - [`endpoint`]: the UDP socket, who is let in.
//! - [`door`]: sessions that come by WebSocket instead. [`socket`]: one of them.
//! - [`carrier`]: what a session runs on, whichever it is.
//! - [`certificate`]: the certificate and its renewal, what is announced.
//! - [`tickets`]: single-use tickets that let a provider in.
//! - [`session`]: one provider's session.
//! - [`outbox`]: what waits to be written to it.
//! - [`bulk`]: unidirectional streams, both ways.
//! - [`assemble`]: outcomes and the outputs that came on streams of their own.

pub mod assemble;
pub mod bulk;
mod carrier;
pub mod certificate;
pub mod door;
pub mod endpoint;
pub mod outbox;
pub mod session;
pub mod socket;
#[cfg(test)]
mod tests;
pub mod tickets;

pub use certificate::{Announce, TransportView};
pub use door::Door;
pub use endpoint::{Settings, Transport};
pub use socket::Packet;
pub use tickets::{Ticket, Tickets};
