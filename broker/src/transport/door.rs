//! The way in for sessions that come by WebSocket, at the broker's HTTP address.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::{Sink, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::carrier::Carrier;
use super::endpoint::Shared;
use super::session;
use super::socket::{Packet, Socket};

/// See the module; cheap to clone.
#[derive(Clone)]
pub struct Door(pub(super) Arc<Shared>);

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

/// A place for one provider, taken until this is dropped.
#[derive(Debug)]
pub struct Seat(
    #[expect(dead_code, reason = "its drop gives the place back")] OwnedSemaphorePermit,
);

/// Why a provider is not let in before it has said anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIn {
    /// Its page comes from elsewhere.
    #[error("pages of the origin {0:?} may not join this pool")]
    Origin(String),
    /// There are as many as allowed.
    #[error("{0} providers are connected, as many as this broker allows; try again later")]
    Full(usize),
}

impl Door {
    /// Takes a seat for a provider. Daemons send no origin; browsers always do.
    ///
    /// # Errors
    /// If it may not come in.
    pub fn enter(&self, origin: Option<&str>) -> Result<Seat, NotIn> {
        let settings = &self.0.settings;
        if let Some(origin) = origin
            && !settings.origins.contains(origin)
        {
            return Err(NotIn::Origin(origin.to_owned()));
        }
        let seat = self.0.seat().ok_or(NotIn::Full(settings.providers_max))?;
        Ok(Seat(seat))
    }

    /// Runs a session over a socket to its end.
    pub async fn session<S, E>(self, seat: Seat, remote: IpAddr, socket: S)
    where
        S: Stream<Item = Result<Packet, E>> + Sink<Packet> + Unpin,
        E: fmt::Display,
    {
        let carried = Socket::new(remote);
        let session = session::run(self.0, Carrier::Socket(carried.clone()));
        tokio::join!(session, carried.carry(socket));
        drop(seat);
    }
}
