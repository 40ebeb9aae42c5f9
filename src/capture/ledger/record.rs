//! The ids that a session has shown so far, in eight bytes each. Only this part of a ledger grows with a session.

use std::collections::BTreeMap;

/// Bits of an entry that hold its key; the eight below them are its byte.
const KEY_BITS: u32 = 56;

/// Newcomers are merged once they are more than this fraction of the settled entries.
const NEWCOMERS: usize = 16;

/// The fewest newcomers worth a merge.
const FEWEST_NEWCOMERS: usize = 1024;

/// A map from keys of 56 bits to a byte.
///
/// A sorted list takes half the memory of a tree or a hash table, and never needs room for two copies. A few newcomers
/// stand beside it, so that adding one doesn't move the whole list.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// Keys with their bytes below them.
    settled: Vec<u64>,
    newcomers: BTreeMap<u64, u8>,
}

impl Record {
    pub fn len(&self) -> usize {
        self.settled.len() + self.newcomers.len()
    }

    pub fn get(&self, key: u64) -> Option<u8> {
        let key = whole(key);
        match self.place(key) {
            Ok(place) => Some(self.settled[place] as u8),
            Err(_) => self.newcomers.get(&key).copied(),
        }
    }

    /// Sets the byte of `key`, and returns the earlier one.
    pub fn set(&mut self, key: u64, byte: u8) -> Option<u8> {
        let key = whole(key);
        if let Ok(place) = self.place(key) {
            let before = std::mem::replace(&mut self.settled[place], entry(key, byte));
            return Some(before as u8);
        }
        let before = self.newcomers.insert(key, byte);
        if self.newcomers.len() > FEWEST_NEWCOMERS.max(self.settled.len() / NEWCOMERS) {
            self.settle();
        }
        before
    }

    pub fn clear(&mut self) {
        *self = Record::default();
    }

    /// All keys with their bytes.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u8)> {
        let settled = self.settled.iter().map(|&entry| (key_of(entry), entry as u8));
        settled.chain(self.newcomers.iter().map(|(&key, &byte)| (key, byte)))
    }

    fn place(&self, key: u64) -> Result<usize, usize> {
        self.settled.binary_search_by_key(&key, |&entry| key_of(entry))
    }

    /// Merges the newcomers into the list, in place, from the last to the first.
    fn settle(&mut self) {
        let mut from = self.settled.len();
        let mut to = from + self.newcomers.len();
        // No more than needed: this list is the memory that a long session costs.
        self.settled.reserve_exact(self.newcomers.len());
        self.settled.resize(to, 0);
        for (key, byte) in std::mem::take(&mut self.newcomers).into_iter().rev() {
            while from > 0 && key_of(self.settled[from - 1]) > key {
                from -= 1;
                to -= 1;
                self.settled[to] = self.settled[from];
            }
            to -= 1;
            self.settled[to] = entry(key, byte);
        }
    }
}

impl FromIterator<(u64, u8)> for Record {
    fn from_iter<T: IntoIterator<Item = (u64, u8)>>(entries: T) -> Record {
        let entries = entries.into_iter().map(|(key, byte)| entry(whole(key), byte));
        let mut settled: Vec<u64> = entries.collect();
        settled.sort_unstable();
        settled.dedup_by_key(|entry| key_of(*entry));
        Record {
            settled,
            newcomers: BTreeMap::new(),
        }
    }
}

fn whole(key: u64) -> u64 {
    key & ((1 << KEY_BITS) - 1)
}

fn entry(key: u64, byte: u8) -> u64 {
    key << (u64::BITS - KEY_BITS) | u64::from(byte)
}

fn key_of(entry: u64) -> u64 {
    entry >> (u64::BITS - KEY_BITS)
}
