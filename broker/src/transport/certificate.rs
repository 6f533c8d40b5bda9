//! The broker's certificate: its own, renewed in time, or a given one.
//!
//! A browser takes a certificate by its hash only if it is ECDSA P-256 and good
//! for at most 14 days (W3C WebTransport, "serverCertificateHashes"). So a
//! certificate is replaced in two steps: the next one is made and its hash
//! announced beside the present one's; later the endpoint changes to it. Who
//! fetched the announcement before or between the two steps gets in either way.

use std::sync::Arc;

use parking_lot::Mutex;
use wasipool_shared::wire::version::VersionRange;
use wtransport::Identity;

/// Days for which a certificate is good: the most that browsers allow, less one
/// for clocks that are wrong.
const GOOD_DAYS: u32 = 13;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Age at which the next certificate is made and announced.
const ANNOUNCE_MS: u64 = 9 * DAY_MS;
/// Age at which the endpoint changes to it.
const CHANGE_MS: u64 = 11 * DAY_MS;

/// How the transport is reached, as announced by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportView {
    /// Where the WebTransport session is opened.
    pub url: String,
    /// SHA-256 of the certificates to expect; empty if they are to be checked
    /// against public roots.
    pub certificate_hashes: Vec<[u8; 32]>,
    /// Protocol versions, oldest and newest.
    pub protocol: [u16; 2],
}

/// What is announced at present; cheap to clone.
#[derive(Debug, Clone)]
pub struct Announce(Arc<Mutex<TransportView>>);

impl Announce {
    pub(super) fn new(url: String, certificate_hashes: Vec<[u8; 32]>) -> Self {
        let VersionRange { min, max } = VersionRange::OURS;
        let view = TransportView {
            url,
            certificate_hashes,
            protocol: [min, max],
        };
        Self(Arc::new(Mutex::new(view)))
    }

    /// What is announced now.
    #[must_use]
    pub fn current(&self) -> TransportView {
        self.0.lock().clone()
    }

    pub(super) fn set_hashes(&self, hashes: Vec<[u8; 32]>) {
        self.0.lock().certificate_hashes = hashes;
    }
}

/// What a renewal has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the next certificate and announce it beside the present one.
    Announce,
    /// Change to it.
    Change,
}

/// When certificates are made and changed; time in Unix milliseconds, so that
/// a machine that slept is not late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewal {
    made_ms: u64,
    next_made_ms: Option<u64>,
}

impl Renewal {
    pub(super) fn new(made_ms: u64) -> Self {
        Self {
            made_ms,
            next_made_ms: None,
        }
    }

    /// What is due at `now_ms`, if anything; call again until nothing is.
    pub(super) fn due(&mut self, now_ms: u64) -> Option<Step> {
        let age_ms = now_ms.saturating_sub(self.made_ms);
        match self.next_made_ms {
            None if age_ms >= ANNOUNCE_MS => {
                self.next_made_ms = Some(now_ms);
                Some(Step::Announce)
            }
            Some(next_made_ms) if age_ms >= CHANGE_MS => {
                *self = Self::new(next_made_ms);
                Some(Step::Change)
            }
            None | Some(_) => None,
        }
    }
}

/// Makes a certificate for these names.
pub(super) fn self_made(names: &[String]) -> anyhow::Result<Identity> {
    let builder = Identity::self_signed_builder().subject_alt_names(names);
    Ok(builder.from_now_utc().validity_days(GOOD_DAYS).build()?)
}

/// The hash by which a browser knows a certificate.
pub(super) fn hash(identity: &Identity) -> Option<[u8; 32]> {
    identity
        .certificate_chain()
        .as_slice()
        .first()
        .map(|leaf| *leaf.hash().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_announced_before_it_is_used_and_changed_before_it_ends() {
        let mut renewal = Renewal::new(0);
        assert_eq!(renewal.due(ANNOUNCE_MS - 1), None);
        assert_eq!(renewal.due(ANNOUNCE_MS), Some(Step::Announce));
        assert_eq!(renewal.due(ANNOUNCE_MS), None);
        assert_eq!(renewal.due(CHANGE_MS), Some(Step::Change));
        const { assert!(CHANGE_MS < GOOD_DAYS as u64 * DAY_MS) };
        // The next one was made when it was announced: its age counts from then.
        assert_eq!(renewal.due(ANNOUNCE_MS + ANNOUNCE_MS - 1), None);
        assert_eq!(renewal.due(ANNOUNCE_MS + ANNOUNCE_MS), Some(Step::Announce));
    }

    #[test]
    fn after_a_long_sleep_both_steps_are_due_at_once() {
        let mut renewal = Renewal::new(0);
        assert_eq!(renewal.due(100 * DAY_MS), Some(Step::Announce));
        assert_eq!(renewal.due(100 * DAY_MS), Some(Step::Change));
        assert_eq!(renewal.due(100 * DAY_MS), None);
    }

    #[test]
    fn a_self_made_certificate_has_a_hash() {
        let identity = self_made(&["localhost".into(), "127.0.0.1".into()]).unwrap();
        assert!(hash(&identity).is_some());
    }
}
