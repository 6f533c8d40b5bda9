//! Whose a provider is, as far as that can be known.

/// A provider's address and, if it has one, account: a quorum needs results of
/// providers that have neither in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// Where it connects from.
    pub address: u64,
    /// Who let it in; 0 is nobody in particular.
    pub account: u64,
}

impl Group {
    /// Providers of an address, of nobody in particular.
    #[must_use]
    pub fn of_address(address: u64) -> Self {
        Self {
            address,
            account: 0,
        }
    }

    /// Whether they may be of the same people.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.address == other.address || (self.account != 0 && self.account == other.account)
    }

    /// Whom its results are held against: its account, else its address.
    pub(super) fn party(self) -> Party {
        if self.account == 0 {
            Party::Address(self.address)
        } else {
            Party::Account(self.account)
        }
    }
}

/// Who is believed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Address(u64),
    Account(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_meet_by_address_or_by_account() {
        let group = |address, account| Group { address, account };
        assert!(group(1, 0).meets(group(1, 7)));
        assert!(group(1, 7).meets(group(2, 7)));
        assert!(!group(1, 7).meets(group(2, 8)));
        assert!(
            !group(1, 0).meets(group(2, 0)),
            "nobody in particular is not one"
        );
    }
}
