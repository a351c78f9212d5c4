//! What is recorded of invalidations, beside the entries: the sequence of their numbers, the latest number of functions
//! and tags, and tombstones. Each change is part of a transaction, so every process sees all of it or none.
//!
//! All are under keys of our own, see `docs/file-layout.md`, and so never evicted. They are bounded instead: where there
//! are too many, the older half goes, and the highest of its numbers stands for all that are not there.

use super::env::{OWN, Opened};
use crate::common::MOST_NAMES;
use heed::{Result, RoTxn, RwTxn};
use memo_core::clock;
use memo_core::invalidation::Records;
use parking_lot::Mutex;
use std::ops::Bound;

const LEDGER_KEY: &[u8] = &[OWN, b's'];
const RECORD: u8 = b'r';
const TOMBSTONE: u8 = b't';
/// Where the next sweep of tombstones starts: a key.
const SWEPT_KEY: &[u8] = &[OWN, b'u'];

/// What a record or a tombstone takes at most, with its place in a page.
pub(super) const EACH_BYTES: u64 = 512;
/// Tombstones that are kept, where there is room.
const MOST_TOMBSTONES: usize = 65_536;
const FEWEST: u64 = 16;
/// A tombstone that is left looks at so many others for expired ones.
const SWEPT_PER_TOMBSTONE: usize = 2;

/// The numbers that stand for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ledger {
    sequence: u64,
    /// Whatever is of a lower number is void, for all names.
    floor: u64,
    /// Stands for every key: the highest number of the tombstones that had to go before their time.
    tombstone_floor: u64,
    names: u64,
    tombstones: u64,
}

impl Ledger {
    fn read(opened: &Opened, txn: &RoTxn<'_>) -> Result<Ledger> {
        let [sequence, floor, tombstone_floor, names, tombstones] =
            opened.entries.get(txn, LEDGER_KEY)?.and_then(numbers).unwrap_or_default();
        Ok(Ledger { sequence, floor, tombstone_floor, names, tombstones })
    }

    fn write(self, opened: &Opened, txn: &mut RwTxn<'_>) -> Result<()> {
        let Ledger { sequence, floor, tombstone_floor, names, tombstones } = self;
        let all = [sequence, floor, tombstone_floor, names, tombstones].map(u64::to_le_bytes);
        opened.entries.put(txn, LEDGER_KEY, all.as_flattened())
    }

    /// What is recorded of these names, where none has a record. Invalidations of keys leave tombstones alone, so mostly
    /// that is so.
    fn of_all(self, names: &[&str]) -> Records {
        Records { sequence: self.sequence, numbers: vec![self.floor; names.len()] }
    }

    /// A folder that knows no number as high has lost its numbers: all that is older is void.
    fn start_over_below(&mut self, seen: u64) -> bool {
        let lost = self.sequence < seen;
        if lost {
            self.sequence = seen + 1;
            self.floor = self.sequence;
        }
        lost
    }
}

/// So many numbers, little endian; `None` for what this library did not write.
fn numbers<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: &[[u8; 8]; N] = numbers.try_into().ok()?;
    rest.is_empty().then(|| numbers.map(u64::from_le_bytes))
}

fn own_key(kind: u8, name: &str) -> Vec<u8> {
    [&[OWN, kind], name.as_bytes()].concat()
}

/// The ledger as of a transaction, while no function and no tag has a record. It answers a hit without a transaction of
/// its own as long as none came after it.
#[derive(Default)]
pub(super) struct Latest(Mutex<Option<(usize, Ledger)>>);

/// The records and tombstones of an open folder, of which those of so many bytes are kept.
pub(super) struct Coherence<'a> {
    pub(super) opened: &'a Opened,
    pub(super) latest: &'a Latest,
    pub(super) bytes: u64,
}

impl Coherence<'_> {
    /// Takes the next number, above what the caller has seen, and records it for these names.
    pub(super) fn next(&self, txn: &mut RwTxn<'_>, names: &[&str], seen: u64) -> Result<u64> {
        let mut ledger = Ledger::read(self.opened, txn)?;
        if !ledger.start_over_below(seen) {
            ledger.sequence += 1;
        }
        for name in names {
            let key = own_key(RECORD, name);
            if self.opened.entries.get(txn, &key)?.is_none() {
                if ledger.names >= self.most(MOST_NAMES) {
                    let highest = self.drop_older_half(txn, RECORD, &mut ledger.names)?;
                    ledger.floor = ledger.floor.max(highest);
                }
                ledger.names += 1;
            }
            self.opened.entries.put(txn, &key, &ledger.sequence.to_le_bytes())?;
        }
        ledger.write(self.opened, txn)?;
        Ok(ledger.sequence)
    }

    /// Leaves a tombstone of this number. One of a higher number stays, for the longer of both times.
    pub(super) fn bury(&self, txn: &mut RwTxn<'_>, key: &str, number: u64, until: u64) -> Result<()> {
        let mut ledger = Ledger::read(self.opened, txn)?;
        let before = ledger;
        let key = own_key(TOMBSTONE, key);
        let (mut number, mut until) = (number, until);
        if let Some(found) = self.opened.entries.get(txn, &key)? {
            let [newest, end] = numbers(found).unwrap_or_default();
            (number, until) = (number.max(newest), until.max(end));
        } else {
            self.sweep(txn, &mut ledger)?;
            if ledger.tombstones >= self.most(MOST_TOMBSTONES) {
                let highest = self.drop_older_half(txn, TOMBSTONE, &mut ledger.tombstones)?;
                ledger.tombstone_floor = ledger.tombstone_floor.max(highest);
            }
            ledger.tombstones += 1;
        }
        self.opened.entries.put(txn, &key, [number, until].map(u64::to_le_bytes).as_flattened())?;
        if ledger == before { Ok(()) } else { ledger.write(self.opened, txn) }
    }

    /// The number of the latest invalidation of `key` that is remembered; 0 is none.
    pub(super) fn newest(&self, txn: &RoTxn<'_>, key: &str) -> Result<u64> {
        let floor = Ledger::read(self.opened, txn)?.tombstone_floor;
        let found = self.opened.entries.get(txn, &own_key(TOMBSTONE, key))?;
        let [number, until] = found.and_then(numbers).unwrap_or_default();
        Ok(if until > clock::wall_millis() { floor.max(number) } else { floor })
    }

    /// As [`records`](Coherence::records), where that can be told without a transaction.
    pub(super) fn records_at_once(&self, names: &[&str], seen: u64) -> Option<Records> {
        // Who would have to wait reads them.
        let (transaction, ledger) = (*self.latest.0.try_lock()?)?;
        // Asked last: a change that was over before this call has raised it.
        let is_latest = || self.opened.env.info().last_txn_id == transaction;
        (ledger.sequence >= seen && is_latest()).then(|| ledger.of_all(names))
    }

    /// The numbers of these names, or `None` where a caller has seen one that is not known here. Keeps the ledger for
    /// [`records_at_once`](Coherence::records_at_once).
    pub(super) fn records(&self, txn: &RoTxn<'_>, names: &[&str], seen: u64) -> Result<Option<Records>> {
        let ledger = Ledger::read(self.opened, txn)?;
        if let Some(mut latest) = self.latest.0.try_lock() {
            *latest = (ledger.names == 0).then(|| (txn.id(), ledger));
        }
        if ledger.sequence < seen {
            return Ok(None);
        }
        if ledger.names == 0 {
            return Ok(Some(ledger.of_all(names)));
        }
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let record = self.opened.entries.get(txn, &own_key(RECORD, name))?.and_then(numbers);
            found.push(record.map_or(ledger.floor, |[number]| ledger.floor.max(number)));
        }
        Ok(Some(Records { sequence: ledger.sequence, numbers: found }))
    }

    /// Starts the sequence again above what a caller has seen, unless it is there by now.
    pub(super) fn lift(&self, txn: &mut RwTxn<'_>, seen: u64) -> Result<()> {
        let mut ledger = Ledger::read(self.opened, txn)?;
        if ledger.start_over_below(seen) { ledger.write(self.opened, txn) } else { Ok(()) }
    }

    fn most(&self, most: usize) -> u64 {
        (self.bytes / EACH_BYTES).clamp(FEWEST, most as u64)
    }

    /// Drops the expired ones of a few tombstones, from where the last look stopped.
    fn sweep(&self, txn: &mut RwTxn<'_>, ledger: &mut Ledger) -> Result<()> {
        let (first, now) = (own_key(TOMBSTONE, ""), clock::wall_millis());
        let start = self.opened.entries.get(txn, SWEPT_KEY)?.unwrap_or(&first).to_vec();
        let (mut expired, mut last) = (Vec::new(), None);
        let range = self.opened.entries.range(txn, &(Bound::Excluded(&*start), Bound::Unbounded))?;
        for entry in range.take(SWEPT_PER_TOMBSTONE) {
            let (key, value) = entry?;
            if !key.starts_with(&first) {
                // Behind the last one the look starts over.
                last = None;
                break;
            }
            last = Some(key.to_vec());
            if numbers(value).is_none_or(|[_, until]: [u64; 2]| until <= now) {
                expired.push(key.to_vec());
            }
        }
        for key in &expired {
            self.opened.entries.delete(txn, key)?;
            ledger.tombstones = ledger.tombstones.saturating_sub(1);
        }
        let last = last.unwrap_or(first);
        if last == start { Ok(()) } else { self.opened.entries.put(txn, SWEPT_KEY, &last) }
    }

    /// Drops the half with the lower numbers, of which it returns the highest, and counts those that are left.
    fn drop_older_half(&self, txn: &mut RwTxn<'_>, kind: u8, left: &mut u64) -> Result<u64> {
        let mut all = Vec::new();
        for entry in self.opened.entries.prefix_iter(txn, &[OWN, kind])? {
            let (key, value) = entry?;
            let number = value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            all.push((number, key.to_vec()));
        }
        *left = 0;
        if all.is_empty() {
            return Ok(0);
        }
        let middle = all.len() / 2;
        let highest = all.select_nth_unstable(middle).1.0;
        for (number, key) in &all {
            if *number <= highest {
                self.opened.entries.delete(txn, key)?;
            } else {
                *left += 1;
            }
        }
        Ok(highest)
    }
}
