//! Room: how much the entries may take, and expired ones swept a few at a time.
//!
//! A cursor for sweeps and one for evictions go round through the keys. All processes share them, since they are kept
//! beside the entries: each goes on where the last one stopped.

use super::config::Evict;
use super::env::{Opened, SWEEP_KEY, is_own};
use super::evict::{Evicting, Worths};
use super::uses::{Uses, moment};
use super::value::Stored;
use heed::{Result, RoTxn, RwTxn};
use parking_lot::Mutex;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

/// A write in so many sweeps, and looks at so many entries: two a write.
const WRITES_PER_SWEEP: u32 = 8;
const SWEPT: usize = 16;
/// Looked at for expired ones before a live entry is evicted.
const SWEPT_WHEN_FULL: usize = 4_096;

/// How much the entries of a folder may take, and how old they may get.
pub(super) struct Room {
    /// The pages of the entries together; the rest of the map is for pages that are written anew in a transaction
    /// while readers still see the old ones.
    pages: u64,
    /// One entry.
    entry: u64,
    /// In milliseconds; 0 is any age. The strictest of all handles.
    max_age: AtomicU64,
    pub(super) evict: Evict,
    pub(super) uses: Uses,
    /// Locked within transactions that write, so by one at a time.
    worths: Mutex<Worths>,
}

impl Room {
    pub(super) fn of_map(map_bytes: u64, max_age: u64, evict: Evict, uses: Uses) -> Room {
        Room {
            pages: map_bytes / 8 * 7,
            entry: map_bytes / 4,
            max_age: AtomicU64::new(max_age),
            evict,
            uses,
            worths: Mutex::default(),
        }
    }

    /// The most that one entry may take.
    pub(super) fn entry(&self) -> u64 {
        self.entry
    }

    /// The most that is stored in one transaction when there is more than one entry.
    pub(super) fn transaction(&self) -> u64 {
        self.pages / 16
    }

    /// How old an entry may get, in milliseconds; 0 is any age.
    #[inline]
    pub(super) fn max_age(&self) -> u64 {
        self.max_age.load(Ordering::Relaxed)
    }

    /// Another handle of this process asks for this.
    pub(super) fn no_older_than(&self, max_age: u64) {
        if max_age != 0 {
            // 0, any age, becomes the largest number when it is counted down.
            let stricter = |now: u64| Some((now.wrapping_sub(1)).min(max_age - 1) + 1);
            let _ = self.max_age.fetch_update(Ordering::Relaxed, Ordering::Relaxed, stricter);
        }
    }

    /// Makes room for a write of so many bytes, and sweeps a little where it is this write's turn.
    pub(super) fn prepare(&self, opened: &Opened, txn: &mut RwTxn<'_>, bytes: u64, turn: u32) -> Result<()> {
        if turn.is_multiple_of(WRITES_PER_SWEEP) {
            self.sweep(opened, txn, SWEPT)?;
        }
        if used(opened, txn)? + bytes <= self.pages {
            return Ok(());
        }
        // A little more than asked for, so that not every write comes here; not much more, since a page that is written
        // anew takes room, too, until the next transaction but one.
        let target = (self.pages - self.pages / 256).saturating_sub(bytes);
        self.make_room(opened, txn, target, true)
    }

    /// Drops entries of so many bytes together, at least; `gently` as long as that has not failed.
    pub(super) fn free(&self, opened: &Opened, txn: &mut RwTxn<'_>, bytes: u64, gently: bool) -> Result<()> {
        let before = used(opened, txn)?;
        // Little by little at first: each transaction needs room for what it writes anew.
        let least = if gently { opened.page_bytes } else { self.pages / 16 };
        let target = before.saturating_sub(bytes.max(least));
        self.make_room(opened, txn, target, gently)?;
        Room::nudge(opened, txn)
    }

    /// Writes something: each transaction that writes brings the pages that earlier ones gave back closer to being used.
    pub(super) fn nudge(opened: &Opened, txn: &mut RwTxn<'_>) -> Result<()> {
        let cursor = cursor(SWEEP_KEY, opened, txn)?;
        opened.entries.put(txn, SWEEP_KEY, &cursor)
    }

    /// Drops what has ended, then what is worth least, until the entries take no more than this.
    fn make_room(&self, opened: &Opened, txn: &mut RwTxn<'_>, target: u64, gently: bool) -> Result<()> {
        self.sweep(opened, txn, SWEPT_WHEN_FULL)?;
        if used(opened, txn)? <= target {
            return Ok(());
        }
        let now = moment(txn.id());
        self.uses.tell_and_hear(now);
        let mut worths = self.worths.lock();
        let budget = usize::try_from(self.pages / 32).unwrap_or(usize::MAX);
        let mut evicting = Evicting { opened, room: self, now, worths: &mut worths, budget };
        evicting.until(txn, target, gently)?;
        // What one transaction left to the next must not add up to the room that they need.
        if used(opened, txn)? > self.pages + self.pages / 32 {
            evicting.until(txn, target, false)?;
        }
        Ok(())
    }

    /// Drops those of so many entries that have ended.
    fn sweep(&self, opened: &Opened, txn: &mut RwTxn<'_>, entries: usize) -> Result<()> {
        let mut ended = Vec::new();
        let seen = pass(SWEEP_KEY, opened, txn, entries, &mut |key, stored| {
            if Stored::live(stored, self.max_age()).is_none() {
                ended.push(key.to_vec());
            }
        })?;
        for key in &ended {
            opened.entries.delete(txn, key)?;
        }
        seen.keep(opened, txn)
    }
}

/// What the entries take: pages in use, without those that were given back.
pub(super) fn used(opened: &Opened, txn: &RoTxn<'_>) -> Result<u64> {
    let stat = opened.entries.stat(txn)?;
    Ok((stat.branch_pages + stat.leaf_pages + stat.overflow_pages) as u64 * opened.page_bytes)
}

/// Where a pass began and where it ended.
pub(super) struct Passed {
    cursor: &'static [u8],
    before: Vec<u8>,
    after: Vec<u8>,
    pub(super) entries: usize,
}

impl Passed {
    /// Whether there is nothing at all to pass.
    pub(super) fn is_over(&self) -> bool {
        self.entries == 0 && self.before.is_empty()
    }

    /// Moves the cursor behind what was passed.
    pub(super) fn keep(self, opened: &Opened, txn: &mut RwTxn<'_>) -> Result<()> {
        if self.after == self.before { Ok(()) } else { opened.entries.put(txn, self.cursor, &self.after) }
    }
}

impl Passed {
    /// Moves the cursor behind an entry that was passed.
    pub(super) fn keep_up_to(mut self, key: &[u8], opened: &Opened, txn: &mut RwTxn<'_>) -> Result<()> {
        key.clone_into(&mut self.after);
        self.keep(opened, txn)
    }
}

fn cursor(name: &[u8], opened: &Opened, txn: &RoTxn<'_>) -> Result<Vec<u8>> {
    Ok(opened.entries.get(txn, name)?.unwrap_or_default().to_vec())
}

/// Shows so many entries behind a cursor. Behind the last entry the cursor starts over, and the pass ends.
pub(super) fn pass(
    name: &'static [u8],
    opened: &Opened,
    txn: &RoTxn<'_>,
    entries: usize,
    look: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<Passed> {
    let before = cursor(name, opened, txn)?;
    let mut passed = Passed { cursor: name, after: Vec::new(), entries: 0, before };
    let start = if passed.before.is_empty() { Bound::Unbounded } else { Bound::Excluded(&*passed.before) };
    for entry in opened.entries.range(txn, &(start, Bound::Unbounded))? {
        let (key, stored) = entry?;
        // Ours lie behind all entries.
        if is_own(key) {
            passed.after.clear();
            break;
        }
        look(key, stored);
        passed.entries += 1;
        if passed.entries == entries {
            key.clone_into(&mut passed.after);
            break;
        }
    }
    Ok(passed)
}
