//! What this tab offers: how much memory, under which name.

use wasipool_shared::limits::{GIB, MEMORY_BYTES_MAX, NAME_BYTES_MAX};

/// Slots that a tab may offer.
pub const SLOTS_MAX: u16 = 256;

/// Guest memory for all slots together: half of what the browser says that the
/// device has (it rounds, and never says more than a few GiB), or 1 GiB for each
/// slot where it says nothing. No guest can have more than wasm can address.
#[must_use]
pub fn memory_bytes(device_gib: f64, slots: u16) -> u64 {
    let known = device_gib.is_finite() && device_gib > 0.0;
    let slots = u64::from(slots.max(1));
    let bytes = if known {
        (device_gib * GIB as f64 / 2.0) as u64
    } else {
        slots * GIB
    };
    bytes.min(slots * MEMORY_BYTES_MAX)
}

/// A name that the broker takes: as wished, or made up from `random`.
#[must_use]
pub fn name(wished: &str, random: u32) -> String {
    let wished: String = wished.chars().filter(|char| !char.is_control()).collect();
    let wished = wished.trim();
    if wished.is_empty() {
        return format!("tab-{:04x}", random & 0xffff);
    }
    let fits = |at: &usize| *at <= NAME_BYTES_MAX && wished.is_char_boundary(*at);
    let end = (0..=wished.len()).rev().find(fits).unwrap_or(0);
    wished[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_half_of_the_devices_as_far_as_it_is_known() {
        assert_eq!(memory_bytes(8.0, 4), 4 * GIB);
        assert_eq!(memory_bytes(0.5, 1), GIB / 4);
        assert_eq!(memory_bytes(64.0, 2), 8 * GIB, "two guests can't have more");
        assert_eq!(memory_bytes(f64::NAN, 3), 3 * GIB);
    }

    #[test]
    fn names_are_cut_and_made_up() {
        assert_eq!(name(" lab\n-3 ", 7), "lab-3");
        assert_eq!(name(" \t", 0x1_abcd), "tab-abcd");
        assert_eq!(name(&"ä".repeat(99), 0), "ä".repeat(64));
    }
}
