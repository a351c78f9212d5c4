//! The numbers of invalidations: the sequence, and the latest number of each function and tag.

use foldhash::fast::RandomState;
use memo_core::invalidation::Records;
use std::collections::HashMap;

/// Invariant: no record and no floor is above `sequence`.
#[derive(Default)]
pub(super) struct Ledger {
    sequence: u64,
    /// Whatever is of a lower number is void, for all names.
    floor: u64,
    records: HashMap<Box<str>, u64, RandomState>,
}

impl Ledger {
    /// Takes the next number, above what the caller has seen, and records it for these names, of which `most` are kept.
    pub(super) fn invalidate(&mut self, names: &[&str], seen: u64, most: usize) -> u64 {
        if !self.start_over_below(seen) {
            self.sequence += 1;
        }
        for name in names {
            if let Some(record) = self.records.get_mut(*name) {
                *record = self.sequence;
                continue;
            }
            if self.records.len() >= most {
                self.drop_older_half();
            }
            self.records.insert((*name).into(), self.sequence);
        }
        self.sequence
    }

    /// Whether the caller has seen no number that is unknown here.
    pub(super) fn knows(&self, seen: u64) -> bool {
        seen <= self.sequence
    }

    /// Numbers above `sequence` were given by a cache whose place this one took: what is older than they are is void. Whether
    /// that is so; then `sequence` is a new number.
    pub(super) fn start_over_below(&mut self, seen: u64) -> bool {
        let lost = !self.knows(seen);
        if lost {
            self.sequence = seen + 1;
            self.floor = self.sequence;
        }
        lost
    }

    pub(super) fn records(&self, names: &[&str]) -> Records {
        let number = |name: &&str| self.records.get(*name).map_or(self.floor, |number| self.floor.max(*number));
        Records { sequence: self.sequence, numbers: names.iter().map(number).collect() }
    }

    /// The floor takes the place of the records that go, so that they void what they did, and more.
    fn drop_older_half(&mut self) {
        let highest = middle(self.records.values().copied());
        self.records.retain(|_, number| *number > highest);
        self.floor = self.floor.max(highest);
    }
}

/// The highest number of the lower half; 0 of none.
pub(super) fn middle(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut numbers: Vec<u64> = numbers.collect();
    let half = numbers.len() / 2;
    if numbers.is_empty() { 0 } else { *numbers.select_nth_unstable(half).1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_go_leave_the_floor_in_their_place() {
        let mut ledger = Ledger::default();
        let names: Vec<String> = (0..100).map(|number| format!("t:{number}")).collect();
        for name in &names {
            ledger.invalidate(&[name], 0, 10);
        }
        assert!(ledger.records.len() <= 10);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let records = ledger.records(&names);
        for (position, number) in records.numbers.iter().enumerate() {
            assert!(*number > position as u64 && *number <= records.sequence, "{position}: {number}");
        }
        assert_eq!(records.numbers.last(), Some(&100), "the youngest are exact");
        assert_eq!(ledger.records(&["t:never"]).numbers, [ledger.floor]);
    }

    #[test]
    fn many_names_of_one_number_go_together() {
        let mut ledger = Ledger::default();
        let names: Vec<String> = (0..100).map(|number| format!("t:{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(ledger.invalidate(&names, 0, 10), 1);
        assert_eq!(ledger.records(&names).numbers, [1; 100]);
        assert!(ledger.records.len() <= 10);
    }
}
