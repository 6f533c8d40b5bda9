//! A cache that forgets what was used longest ago.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Values by key, each with a weight, within a limit on the sum of weights.
#[derive(Debug)]
pub struct Lru<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Keys by when they were last used.
    order: BTreeMap<u64, K>,
    clock: u64,
    weight: u64,
    limit: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: u64,
    used: u64,
}

impl<K: Hash + Eq + Copy, V> Lru<K, V> {
    /// An empty cache for values of `limit` together.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            clock: 0,
            weight: 0,
            limit,
        }
    }

    /// The value, which counts as used now.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        self.order.remove(&entry.used);
        entry.used = self.clock;
        self.order.insert(entry.used, *key);
        Some(&entry.value)
    }

    /// Keeps a value, and forgets others as needed; one that is over the limit
    /// by itself isn't kept.
    pub fn insert(&mut self, key: K, value: V, weight: u64) {
        self.remove(&key);
        if weight > self.limit {
            return;
        }
        while self.weight + weight > self.limit {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.weight -= entry.weight;
            }
        }
        self.clock += 1;
        self.order.insert(self.clock, key);
        self.weight += weight;
        self.entries.insert(
            key,
            Entry {
                value,
                weight,
                used: self.clock,
            },
        );
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

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut cache = Lru::new(3);
        for key in 1..=3 {
            cache.insert(key, key * 10, 1);
        }
        assert_eq!(cache.get(&1), Some(&10));
        cache.insert(4, 40, 1);
        assert_eq!(cache.get(&2), None, "1 was used since");
        assert_eq!(cache.get(&1), Some(&10));
        cache.insert(5, 50, 3);
        assert_eq!(
            (cache.len(), cache.get(&5)),
            (1, Some(&50)),
            "it needs all the room"
        );
        cache.insert(6, 60, 4);
        assert_eq!(cache.get(&6), None, "it never fits");
        assert_eq!(cache.get(&5), Some(&50), "and takes nobody's place");
        assert_eq!(cache.remove(&5), Some(50));
        assert!(cache.is_empty());
    }
}
