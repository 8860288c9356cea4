//! A bounded map of two generations: what was not used while a generation filled up is forgotten.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// A map that forgets, but only when told that it may ([`Generations::tidy`]): between two groups of the writer, never
/// while one is being written, so that what a group has changed stays known until it is in the database.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    entries_max: usize,
}

impl<K: Hash + Eq + Clone, V> Generations<K, V> {
    /// A map that keeps about `entries_max` entries.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), entries_max }
    }

    pub(crate) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if !self.old.is_empty()
            && let Some((key, value)) = self.old.remove_entry(key)
        {
            self.young.insert(key, value);
        }
        self.young.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// Whether [`Generations::tidy`] is going to forget the older generation.
    pub(crate) fn is_full(&self) -> bool {
        self.young.len() > self.entries_max / 2
    }

    /// Forgets the older generation if the younger one is full.
    pub(crate) fn tidy(&mut self) {
        if self.is_full() {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut cache = Generations::new(8);
        for n in 0..100 {
            cache.insert(n, n);
            assert_eq!(cache.get_mut(&0), Some(&mut 0), "{n}");
            cache.tidy();
        }
        assert_eq!(cache.get_mut(&50), None);
        assert_eq!(cache.remove(&0), Some(0));
        assert_eq!(cache.get_mut(&0), None);
    }
}
