//! What an operator does to providers.

use std::net::IpAddr;

use tokio::sync::oneshot;
use wasipool_shared::ids::ProviderId;
use wasipool_shared::wire::message::{Refuse, ToProvider};

use super::handle::{Command, Handle};
use super::live::LiveProvider;
use super::run::Driver;
use crate::bans::Ban;
use crate::core::Event;

/// Whom something is meant for.
#[derive(Debug, Clone)]
pub enum Whom {
    /// The provider of that session.
    One(ProviderId),
    /// All that the ban fits.
    Banned(Ban),
}

impl Whom {
    fn is(&self, provider: ProviderId, live: &LiveProvider) -> bool {
        match self {
            Self::One(one) => *one == provider,
            Self::Banned(ban) => ban.fits(&live.label.name, live.address),
        }
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Operation {
    Drain {
        provider: ProviderId,
        reply: oneshot::Sender<bool>,
    },
    SendAway {
        whom: Whom,
        refuse: Refuse,
        reply: oneshot::Sender<usize>,
    },
    Address {
        provider: ProviderId,
        reply: oneshot::Sender<Option<(String, IpAddr)>>,
    },
}

impl Handle {
    /// Asks a provider to finish what runs there and to leave; false if it isn't
    /// in the pool.
    pub async fn ask_to_drain(&self, provider: ProviderId) -> bool {
        let asked = self.ask(|reply| Command::Operate(Operation::Drain { provider, reply }));
        asked.await.unwrap_or(false)
    }

    /// Ends sessions, with the reason that the providers are told; says how many.
    /// Their tasks go elsewhere at once.
    pub async fn send_away(&self, whom: Whom, refuse: Refuse) -> usize {
        let sent = self.ask(|reply| {
            Command::Operate(Operation::SendAway {
                whom,
                refuse,
                reply,
            })
        });
        sent.await.unwrap_or_default()
    }

    /// Name and address of a provider in the pool.
    pub async fn address_of(&self, provider: ProviderId) -> Option<(String, IpAddr)> {
        let asked = self.ask(|reply| Command::Operate(Operation::Address { provider, reply }));
        asked.await.flatten()
    }
}

impl Driver {
    /// Who asked may have gone away meanwhile.
    pub(super) fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Drain { provider, reply } => {
                let live = self.providers.get(&provider);
                let known = live.is_some_and(|live| {
                    live.outbox.push(&ToProvider::Drain);
                    true
                });
                if known {
                    self.provider_changed(provider);
                    self.tell_core(Event::Drain { provider });
                }
                let _ = reply.send(known);
            }
            Operation::SendAway {
                whom,
                refuse,
                reply,
            } => {
                let fits = self.providers.iter();
                let fits = fits.filter(|(id, live)| whom.is(**id, live));
                let away: Vec<_> = fits.map(|(id, _)| *id).collect();
                for provider in &away {
                    if let Some(live) = self.providers.get(provider) {
                        live.outbox.push(&ToProvider::Bye(refuse.clone()));
                        live.outbox.close();
                    }
                    self.left(*provider, &refuse.text);
                }
                let _ = reply.send(away.len());
            }
            Operation::Address { provider, reply } => {
                let live = self.providers.get(&provider);
                let _ = reply.send(live.map(|live| (live.label.name.clone(), live.address)));
            }
        }
    }
}
