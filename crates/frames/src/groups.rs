//! Packed keys, each with a number: the hash table behind grouping and merging.
//!
//! Keys lie one after the other in one buffer, so that a group costs its bytes and 24 more, and no allocation of its
//! own. The hash is seeded at random once a process: a partner cannot write keys that collide, and hashes may be handed
//! from one table to the next when parts merge.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use polars::prelude::PlRandomState;

static HASHER: LazyLock<PlRandomState> = LazyLock::new(PlRandomState::default);

const EMPTY: u32 = u32::MAX;

/// Numbers keys from 0 in the order of their first appearance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    bytes: Vec<u8>,
    /// Where each key ends in `bytes`.
    ends: Vec<usize>,
    hashes: Vec<u64>,
    /// Open addressing, a power of two, at most half full: the upper half of the hash, and the key's number.
    slots: Vec<(u32, u32)>,
}

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn key(&self, number: usize) -> &[u8] {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    #[inline]
    pub(crate) fn number_of(&mut self, key: &[u8]) -> u32 {
        self.number_of_hashed(HASHER.hash_one(key), key)
    }

    /// For each key of `other`, its number here; keys that are new are added.
    pub(crate) fn absorb(&mut self, other: &Groups) -> Vec<u32> {
        (0..other.len()).map(|number| self.number_of_hashed(other.hashes[number], other.key(number))).collect()
    }

    #[inline]
    fn number_of_hashed(&mut self, hash: u64, key: &[u8]) -> u32 {
        if (self.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let tag = (hash >> 32) as u32;
        let mut slot = hash as usize & mask;
        loop {
            let (found_tag, number) = self.slots[slot];
            if number == EMPTY {
                break;
            }
            if found_tag == tag && self.key(number as usize) == key {
                return number;
            }
            slot = (slot + 1) & mask;
        }
        let number = self.len() as u32;
        assert!(number < EMPTY, "a summary of four billion groups does not fit into memory");
        self.slots[slot] = (tag, number);
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        number
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let mask = size - 1;
        self.slots.clear();
        self.slots.resize(size, (0, EMPTY));
        for (number, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & mask;
            while self.slots[slot].1 != EMPTY {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = ((hash >> 32) as u32, number as u32);
        }
    }
}
