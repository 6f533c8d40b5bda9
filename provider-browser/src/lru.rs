//! Things that are kept for as long as they are needed, and a while longer.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by key, each with a weight. Pinned ones stay; of the others those
/// used last stay, as long as all together are within the budget.
#[derive(Debug)]
pub struct Lru<K, V> {
    entries: HashMap<K, Entry<V>>,
    budget: u64,
    weight: u64,
    clock: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: u64,
    pinned: bool,
    used: u64,
}

impl<K: Copy + Eq + Hash, V> Lru<K, V> {
    /// Nothing yet.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        Self {
            entries: HashMap::new(),
            budget,
            weight: 0,
            clock: 0,
        }
    }

    /// Puts a value in, and others out if there is no room.
    pub fn insert(&mut self, key: K, value: V, weight: u64, pinned: bool) {
        self.remove(&key);
        let used = self.tick();
        self.weight += weight;
        self.entries.insert(
            key,
            Entry {
                value,
                weight,
                pinned,
                used,
            },
        );
        self.shrink();
    }

    /// The value, which counts as used now.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let used = self.tick();
        let entry = self.entries.get_mut(key)?;
        entry.used = used;
        Some(&entry.value)
    }

    /// Pins a value; false if it isn't there.
    pub fn pin(&mut self, key: &K) -> bool {
        let entry = self.entries.get_mut(key);
        entry.map(|entry| entry.pinned = true).is_some()
    }

    /// Lets a value go when the room is needed.
    pub fn unpin(&mut self, key: &K) {
        let used = self.tick();
        if let Some(entry) = self.entries.get_mut(key) {
            entry.pinned = false;
            entry.used = used;
            self.shrink();
        }
    }

    /// Lets all values go when the room is needed.
    pub fn unpin_all(&mut self) {
        for entry in self.entries.values_mut() {
            entry.pinned = false;
        }
        self.shrink();
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.weight -= entry.weight;
        Some(entry.value)
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn shrink(&mut self) {
        while self.weight > self.budget {
            let unpinned = self.entries.iter().filter(|(_, entry)| !entry.pinned);
            let Some(oldest) = unpinned
                .min_by_key(|(_, entry)| entry.used)
                .map(|(key, _)| *key)
            else {
                return;
            };
            self.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_goes_first_and_pinned_ones_stay() {
        let mut lru = Lru::new(10);
        lru.insert('a', 1, 4, true);
        lru.insert('b', 2, 3, false);
        lru.insert('c', 3, 3, false);
        assert_eq!(lru.get(&'b'), Some(&2));
        lru.insert('d', 4, 3, false);
        assert_eq!(lru.get(&'a'), Some(&1));
        assert_eq!(lru.get(&'c'), None);
        lru.insert('e', 5, 100, true);
        assert_eq!(lru.get(&'b'), None);
        assert_eq!(lru.get(&'d'), None);
        assert_eq!(lru.get(&'e'), Some(&5), "pinned ones may pass the budget");
        lru.unpin(&'e');
        assert_eq!(lru.get(&'e'), None);
        lru.unpin_all();
        assert_eq!(lru.get(&'a'), Some(&1));
        assert!(lru.pin(&'a') && !lru.pin(&'e'));
    }

    #[test]
    fn a_value_put_in_again_counts_once() {
        let mut lru = Lru::new(10);
        for round in 0..5 {
            lru.insert('a', round, 6, false);
        }
        lru.insert('b', 9, 4, false);
        assert_eq!(lru.get(&'a'), Some(&4));
        assert_eq!(lru.get(&'b'), Some(&9));
        assert_eq!(lru.remove(&'a'), Some(4));
        assert_eq!(lru.remove(&'a'), None);
    }
}
