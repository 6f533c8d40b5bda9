//! Single-use, short-lived tickets that let a provider in.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::{Clock, random_u128};

/// How long a ticket is good, in milliseconds.
pub const TICKET_MS: u64 = 60_000;
/// Tickets that are good at a time: more than providers can join meanwhile.
pub const TICKETS_MAX: usize = 100_000;

/// A ticket as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// What the provider's hello must hold.
    pub ticket: String,
    /// When it ends, in Unix milliseconds.
    pub expires_unix_ms: u64,
}

/// Why a ticket isn't handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{TICKETS_MAX} tickets are handed out and not used yet; try again in a minute")]
pub struct TooManyTickets;

/// Hands out tickets and takes them back; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tickets {
    clock: Clock,
    good: Arc<Mutex<HashMap<String, Good>>>,
}

/// What is known of a ticket that wasn't used yet.
#[derive(Debug)]
struct Good {
    expires_unix_ms: u64,
    /// Who asked for it.
    account: u64,
}

impl Tickets {
    /// No tickets yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            good: Arc::default(),
        }
    }

    /// A new ticket for an account: 128 random bits.
    ///
    /// # Errors
    /// If too many are out.
    pub fn issue(&self, account: u64) -> Result<Ticket, TooManyTickets> {
        self.issue_at(account, self.clock.unix_ms())
    }

    /// Takes a ticket; gives its account, only once for each.
    #[must_use]
    pub fn redeem(&self, ticket: &str) -> Option<u64> {
        self.redeem_at(ticket, self.clock.unix_ms())
    }

    fn issue_at(&self, account: u64, unix_ms: u64) -> Result<Ticket, TooManyTickets> {
        let mut good = self.good.lock();
        if good.len() >= TICKETS_MAX {
            good.retain(|_, good| good.expires_unix_ms > unix_ms);
        }
        if good.len() >= TICKETS_MAX {
            return Err(TooManyTickets);
        }
        let ticket = format!("{:032x}", random_u128());
        let expires_unix_ms = unix_ms + TICKET_MS;
        let known = Good {
            expires_unix_ms,
            account,
        };
        good.insert(ticket.clone(), known);
        Ok(Ticket {
            ticket,
            expires_unix_ms,
        })
    }

    fn redeem_at(&self, ticket: &str, unix_ms: u64) -> Option<u64> {
        let known = self.good.lock().remove(ticket)?;
        (known.expires_unix_ms > unix_ms).then_some(known.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_its_time() {
        let tickets = Tickets::new(Clock::start());
        let ticket = tickets.issue_at(7, 1_000).unwrap();
        assert_eq!(tickets.redeem_at("something else", 1_000), None);
        let last = 1_000 + TICKET_MS - 1;
        assert_eq!(tickets.redeem_at(&ticket.ticket, last), Some(7));
        assert_eq!(tickets.redeem_at(&ticket.ticket, 1_000), None, "used");
        let ticket = tickets.issue_at(7, 1_000).unwrap();
        let end = 1_000 + TICKET_MS;
        assert_eq!(tickets.redeem_at(&ticket.ticket, end), None, "too old");
    }

    #[test]
    fn tickets_are_limited_and_old_ones_make_room() {
        let tickets = Tickets::new(Clock::start());
        for _ in 0..TICKETS_MAX {
            tickets.issue_at(0, 0).unwrap();
        }
        assert_eq!(tickets.issue_at(0, 1), Err(TooManyTickets));
        assert!(tickets.issue_at(0, TICKET_MS).is_ok());
    }
}
