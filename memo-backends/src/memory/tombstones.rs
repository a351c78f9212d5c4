//! What is left of invalidated keys for a while, so that no value that was loaded before is stored after.

use super::ledger::middle;
use foldhash::fast::RandomState;
use memo_core::clock::{self, Tick};
use std::collections::HashMap;

/// Kept in a shard at most.
pub(super) const MOST: usize = 4_096;
/// Below this nobody looks for expired ones.
const FEW: usize = 32;

/// The tombstones of one shard.
#[derive(Default)]
pub(super) struct Tombstones {
    /// The number of the latest invalidation of a key, and until when it matters.
    of: HashMap<Box<str>, (u64, Tick), RandomState>,
    /// The highest number of those that had to go before their time: it stands for every key.
    floor: u64,
    /// At how many the expired ones are dropped next: at twice as many as were left the last time, so that each put pays
    /// for one look.
    next_sweep: usize,
}

impl Tombstones {
    /// The number of the latest invalidation of `key` that is remembered; 0 is none.
    pub(super) fn newest(&self, key: &str) -> u64 {
        match self.of.get(key) {
            Some((number, until)) if *until > clock::now() => self.floor.max(*number),
            _ => self.floor,
        }
    }

    /// Leaves a tombstone, of which `most` are kept. One of a higher number stays, for the longer of both times.
    pub(super) fn put(&mut self, key: &str, number: u64, until: Tick, most: usize) {
        if let Some((newest, end)) = self.of.get_mut(key) {
            (*newest, *end) = (number.max(*newest), until.max(*end));
            return;
        }
        if self.of.len() >= most.min(self.next_sweep.max(FEW)) {
            self.sweep(most);
        }
        self.of.insert(key.into(), (number, until));
    }

    fn sweep(&mut self, most: usize) {
        let now = clock::now();
        self.of.retain(|_, (_, until)| *until > now);
        if self.of.len() >= most {
            let highest = middle(self.of.values().map(|(number, _)| *number));
            self.of.retain(|_, (number, _)| *number > highest);
            self.floor = self.floor.max(highest);
        }
        self.next_sweep = self.of.len() * 2;
        // What was many once does not keep its room.
        self.of.shrink_to(self.next_sweep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_go_before_their_time_stand_for_every_key() {
        let mut tombstones = Tombstones::default();
        for number in 1..=1_000 {
            tombstones.put(&number.to_string(), number, Tick::NEVER, 50);
            assert!(tombstones.of.len() <= 50);
        }
        for number in 1..=1_000 {
            assert!(tombstones.newest(&number.to_string()) >= number);
        }
        assert_eq!(tombstones.newest("1000"), 1_000, "the youngest are exact");
        assert!(tombstones.newest("another") < 1_000);
    }

    #[test]
    fn expired_ones_go() {
        let mut tombstones = Tombstones::default();
        let past = clock::now();
        for number in 1..=1_000 {
            tombstones.put(&number.to_string(), number, past, MOST);
        }
        assert!(tombstones.of.len() <= FEW);
        assert_eq!(tombstones.newest("1000"), 0);
        assert_eq!(tombstones.floor, 0);
    }

    #[test]
    fn the_higher_number_and_the_longer_time_stay() {
        let mut tombstones = Tombstones::default();
        tombstones.put("k", 7, clock::now(), MOST);
        tombstones.put("k", 3, Tick::NEVER, MOST);
        assert_eq!(tombstones.newest("k"), 7);
    }
}
