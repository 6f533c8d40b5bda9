//! A slab: values under small dense keys, so that events find what they touch
//! without a search and iteration has one order everywhere.

use std::ops::{Index, IndexMut};

/// Values under keys that are reused once freed.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Stores a value and returns its key.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(key) = self.free.pop() {
            self.entries[key as usize] = Some(value);
            return key;
        }
        self.entries.push(Some(value));
        (self.entries.len() - 1) as u32
    }

    /// Takes the value out; its key may be reused from now on.
    pub(super) fn remove(&mut self, key: u32) -> T {
        let value = self.entries[key as usize]
            .take()
            .expect("a key is removed once");
        self.free.push(key);
        value
    }

    pub(super) fn get(&self, key: u32) -> Option<&T> {
        self.entries.get(key as usize)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(key, entry)| entry.as_ref().map(|value| (key as u32, value)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.entries
            .iter_mut()
            .enumerate()
            .filter_map(|(key, entry)| entry.as_mut().map(|value| (key as u32, value)))
    }

    /// One past the largest key ever used.
    pub(super) fn key_end(&self) -> u32 {
        self.entries.len() as u32
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, key: u32) -> &T {
        self.entries[key as usize]
            .as_ref()
            .expect("a key is used while its value is there")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, key: u32) -> &mut T {
        self.entries[key as usize]
            .as_mut()
            .expect("a key is used while its value is there")
    }
}
