//! The entries of one shard: densely stored and found by hash, so that a sweep takes up where the last one stopped
//! and a sample is a few random positions.

use super::tombstones::Tombstones;
use hashbrown::HashTable;
use memo_core::clock::{self, Tick};
use std::sync::Arc;

/// What one entry takes beside its key and its bytes: its slot, its place in the index, the counts of the `Arc`, and
/// what the allocator adds to two allocations.
const OVERHEAD: usize = 112;

/// How many entries a write looks at for expired ones. Two would do to keep expired entries below half of all.
const SWEPT_PER_WRITE: usize = 4;

/// How many entries compete to be evicted.
const SAMPLED: usize = 8;

pub(super) struct Slot {
    key: Box<str>,
    hash: u64,
    pub(super) bytes: Arc<[u8]>,
    pub(super) expires: Tick,
    /// The number of the write that stored it, over all shards.
    stored: u64,
}

impl Slot {
    /// Reads the clock only if the entry can expire.
    pub(super) fn is_expired(&self) -> bool {
        self.expires != Tick::NEVER && self.expires <= clock::now()
    }

    fn weight(&self) -> usize {
        weight(&self.key, &self.bytes)
    }
}

/// What an entry counts towards the bound.
pub(super) fn weight(key: &str, bytes: &[u8]) -> usize {
    key.len() + bytes.len() + OVERHEAD
}

/// Invariant: `index` holds exactly the positions of `slots`, each under the hash of its slot; `weight` is the sum of
/// the weights of all slots.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    index: HashTable<usize>,
    weight: usize,
    /// Of the keys of this shard.
    pub(super) tombstones: Tombstones,
    /// Where the next sweep starts.
    cursor: usize,
    /// State of the random positions (xorshift); 0 before the first.
    random: u64,
}

impl Table {
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The entries that are not expired.
    pub(super) fn live(&self) -> impl Iterator<Item = (&str, &Slot)> {
        self.slots.iter().filter(|slot| !slot.is_expired()).map(|slot| (&*slot.key, slot))
    }

    /// What is stored under `key`, expired or not.
    pub(super) fn find(&self, hash: u64, key: &str) -> Option<&Slot> {
        let position = self.index.find(hash, |&position| *self.slots[position].key == *key)?;
        self.slots.get(*position)
    }

    /// What is stored under `key` and is not expired.
    pub(super) fn find_live(&self, hash: u64, key: &str) -> Option<&Slot> {
        self.find(hash, key).filter(|slot| !slot.is_expired())
    }

    /// Whether these bytes are stored under `key` and not expired.
    pub(super) fn holds(&self, hash: u64, key: &str, bytes: &[u8]) -> bool {
        self.find_live(hash, key).is_some_and(|slot| *slot.bytes == *bytes)
    }

    /// Gives the entry a new deadline. Whether there was a live one.
    pub(super) fn touch(&mut self, hash: u64, key: &str, expires: Tick) -> bool {
        let Some(&position) = self.index.find(hash, |&position| *self.slots[position].key == *key) else {
            return false;
        };
        let slot = &mut self.slots[position];
        let live = !slot.is_expired();
        if live {
            slot.expires = expires;
        }
        live
    }

    /// Stores an entry in place of the one that was there, and sweeps a few others. `stored` numbers the writes.
    pub(super) fn put(&mut self, hash: u64, key: &str, bytes: Arc<[u8]>, expires: Tick, stored: u64) {
        self.sweep();
        if let Some(&position) = self.index.find(hash, |&position| *self.slots[position].key == *key) {
            let slot = &mut self.slots[position];
            self.weight = self.weight - slot.bytes.len() + bytes.len();
            (slot.bytes, slot.expires, slot.stored) = (bytes, expires, stored);
            return;
        }
        self.weight += weight(key, &bytes);
        self.slots.push(Slot { key: key.into(), hash, bytes, expires, stored });
        let slots = &self.slots;
        self.index.insert_unique(hash, slots.len() - 1, |&position| slots[position].hash);
    }

    /// Drops what is under `key`; whether it was live.
    pub(super) fn remove(&mut self, hash: u64, key: &str) -> bool {
        let found = self.index.find(hash, |&position| *self.slots[position].key == *key).copied();
        found.is_some_and(|position| !self.drop_at(position).is_expired())
    }

    /// Drops what is under `key` if it is expired.
    pub(super) fn remove_expired(&mut self, hash: u64, key: &str) {
        if self.find(hash, key).is_some_and(Slot::is_expired) {
            self.remove(hash, key);
        }
    }

    /// Drops every entry whose key starts with `prefix`; how many of them were live.
    pub(super) fn clear(&mut self, prefix: &str) -> u64 {
        let (mut position, mut count) = (0, 0);
        while position < self.slots.len() {
            if self.slots[position].key.starts_with(prefix) {
                count += u64::from(!self.drop_at(position).is_expired());
            } else {
                position += 1;
            }
        }
        count
    }

    /// Drops one entry to make room: an expired one or the longest stored of a few. `spared` is the write that asks,
    /// whose own entry would be the victim where it is alone in its shard. Whether one was dropped.
    pub(super) fn evict(&mut self, spared: u64) -> bool {
        let mut victim: Option<(bool, u64, usize)> = None;
        // Few entries are all looked at, so that a sample never misses the only one that may go.
        let few = self.slots.len() <= SAMPLED;
        for nth in 0..SAMPLED.min(self.slots.len()) {
            let position = if few { nth } else { self.random_position() };
            let slot = &self.slots[position];
            if slot.stored == spared {
                continue;
            }
            let candidate = (!slot.is_expired(), slot.stored, position);
            if victim.is_none_or(|victim| candidate < victim) {
                victim = Some(candidate);
            }
        }
        victim.is_some_and(|(_, _, position)| {
            self.drop_at(position);
            true
        })
    }

    fn sweep(&mut self) {
        for _ in 0..SWEPT_PER_WRITE {
            if self.cursor >= self.slots.len() {
                self.cursor = 0;
            }
            match self.slots.get(self.cursor) {
                // The last slot takes its place and is looked at next.
                Some(slot) if slot.is_expired() => drop(self.drop_at(self.cursor)),
                Some(_) => self.cursor += 1,
                None => return,
            }
        }
    }

    /// Takes the slot out; the last one moves to its position.
    fn drop_at(&mut self, position: usize) -> Slot {
        let last = self.slots.len() - 1;
        if let Ok(entry) = self.index.find_entry(self.slots[position].hash, |&found| found == position) {
            entry.remove();
        }
        if position != last
            && let Some(moved) = self.index.find_mut(self.slots[last].hash, |&found| found == last)
        {
            *moved = position;
        }
        let slot = self.slots.swap_remove(position);
        self.weight -= slot.weight();
        if self.slots.len() < self.slots.capacity() / 4 {
            // Room for half as many again: the next writes do not grow it at once.
            let room = self.slots.len() + self.slots.len() / 2;
            self.slots.shrink_to(room);
            let slots = &self.slots;
            self.index.shrink_to(room, |&position| slots[position].hash);
        }
        slot
    }

    fn random_position(&mut self) -> usize {
        self.random = if self.random == 0 { 0x9E37_79B9_7F4A_7C15 } else { self.random };
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits of a random number are random too")]
        let position = self.random as usize % self.slots.len();
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Arc<[u8]> {
        text.as_bytes().into()
    }

    /// A poor hash on purpose: many keys share one.
    fn hash(key: &str) -> u64 {
        u64::from(key.as_bytes()[0]) * 0x0101_0101_0101_0101
    }

    #[test]
    fn the_index_follows_the_slots() {
        let mut table = Table::default();
        let keys: Vec<String> = (0..500).map(|number: u32| format!("{}{number}", number % 7)).collect();
        for key in &keys {
            table.put(hash(key), key, bytes(key), Tick::NEVER, 0);
        }
        for key in keys.iter().step_by(3) {
            assert!(table.remove(hash(key), key));
            assert!(!table.remove(hash(key), key));
        }
        let mut expected = 0;
        for (number, key) in keys.iter().enumerate() {
            let found = table.find(hash(key), key).map(|slot| slot.bytes.to_vec());
            assert_eq!(found, (number % 3 != 0).then(|| key.as_bytes().to_vec()));
            expected += if number % 3 == 0 { 0 } else { weight(key, key.as_bytes()) };
        }
        assert_eq!(table.weight(), expected);
        assert_eq!(table.clear(""), 333);
        assert_eq!(table.weight(), 0);
    }

    #[test]
    fn expired_entries_are_swept_by_later_writes() {
        let mut table = Table::default();
        let past = clock::now();
        for number in 0..100 {
            let key = number.to_string();
            table.put(hash(&key), &key, bytes("v"), past, 0);
        }
        for _ in 0..50 {
            table.put(hash("x"), "x", bytes("v"), Tick::NEVER, 0);
        }
        assert_eq!(table.slots.len(), 1);
        assert_eq!(table.weight(), weight("x", b"v"));
    }

    #[test]
    fn an_eviction_takes_an_expired_or_an_old_entry() {
        let mut table = Table::default();
        for (key, stored) in [("a", 1), ("b", 2), ("c", 3)] {
            table.put(hash(key), key, bytes("v"), Tick::NEVER, stored);
        }
        let past = clock::now();
        table.slots[1].expires = past;
        assert!(table.evict(3));
        assert!(table.find(hash("b"), "b").is_none(), "the expired one goes first");
        assert!(table.evict(3));
        assert!(table.find(hash("a"), "a").is_none(), "then the oldest");
        assert!(!table.evict(3), "the one just stored is spared");
        assert!(table.evict(4));
        assert!(!table.evict(4));
    }
}
