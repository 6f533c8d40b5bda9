//! Things that are kept for as long as they are needed, and a while longer.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Values by key, each with a weight. Pinned ones stay; of the others those
/// used last stay, as long as all together are within the budget.
#[derive(Debug)]
pub struct Lru<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// What isn't pinned, by when it was used last.
    order: BTreeMap<u64, K>,
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
            order: BTreeMap::new(),
            budget,
            weight: 0,
            clock: 0,
        }
    }

    /// Keeps a value, in the place of an earlier one with that key. What alone
    /// is over the budget isn't kept, and takes nobody's place.
    pub fn insert(&mut self, key: K, value: V, weight: u64) {
        self.remove(&key);
        if weight <= self.budget {
            self.put(key, value, weight, false);
        }
    }

    /// Keeps a value until it is unpinned, whatever its weight.
    pub fn insert_pinned(&mut self, key: K, value: V, weight: u64) {
        self.remove(&key);
        self.put(key, value, weight, true);
    }

    /// The value with that key, used just now.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        if !entry.pinned {
            self.order.remove(&entry.used);
            self.order.insert(self.clock, *key);
        }
        entry.used = self.clock;
        Some(&entry.value)
    }

    /// Keeps what is there until it is unpinned; false if it isn't there.
    pub fn pin(&mut self, key: &K) -> bool {
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        entry.pinned = true;
        self.order.remove(&entry.used);
        true
    }

    /// Keeps that value no longer than others.
    pub fn unpin(&mut self, key: &K) {
        if let Some(entry) = self.entries.get_mut(key) {
            self.clock += 1;
            self.order.remove(&entry.used);
            self.order.insert(self.clock, *key);
            (entry.pinned, entry.used) = (false, self.clock);
            self.shrink();
        }
    }

    /// Keeps no value longer than others.
    pub fn unpin_all(&mut self) {
        for (key, entry) in &mut self.entries {
            entry.pinned = false;
            self.order.insert(entry.used, *key);
        }
        self.shrink();
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.used);
        self.weight -= entry.weight;
        Some(entry.value)
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn put(&mut self, key: K, value: V, weight: u64, pinned: bool) {
        self.clock += 1;
        let used = self.clock;
        let entry = Entry {
            value,
            weight,
            pinned,
            used,
        };
        self.entries.insert(key, entry);
        self.weight += weight;
        if !pinned {
            self.order.insert(used, key);
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.weight > self.budget {
            let Some((_, oldest)) = self.order.pop_first() else {
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
    fn what_was_used_longest_ago_goes_first() {
        let mut lru = Lru::new(3);
        for key in 1..=3 {
            lru.insert(key, key * 10, 1);
        }
        assert_eq!(lru.get(&1), Some(&10));
        lru.insert(4, 40, 1);
        assert_eq!(lru.get(&2), None, "1 was used since");
        assert_eq!(lru.get(&1), Some(&10));
        lru.insert(5, 50, 3);
        assert_eq!(
            (lru.len(), lru.get(&5)),
            (1, Some(&50)),
            "it needs all the room"
        );
        lru.insert(6, 60, 4);
        assert_eq!(lru.get(&6), None, "it never fits");
        assert_eq!(lru.get(&5), Some(&50), "and takes nobody's place");
        assert_eq!(lru.remove(&5), Some(50));
        assert!(lru.is_empty());
    }

    #[test]
    fn pinned_ones_stay() {
        let mut lru = Lru::new(10);
        lru.insert_pinned('a', 1, 4);
        lru.insert('b', 2, 3);
        lru.insert('c', 3, 3);
        assert_eq!(lru.get(&'b'), Some(&2));
        lru.insert('d', 4, 3);
        assert_eq!(lru.get(&'a'), Some(&1));
        assert_eq!(lru.get(&'c'), None);
        lru.insert_pinned('e', 5, 100);
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
            lru.insert('a', round, 6);
        }
        lru.insert('b', 9, 4);
        assert_eq!(lru.get(&'a'), Some(&4));
        assert_eq!(lru.get(&'b'), Some(&9));
        assert_eq!(lru.remove(&'a'), Some(4));
        assert_eq!(lru.remove(&'a'), None);
    }
}
