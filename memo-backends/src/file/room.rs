//! Room: expired entries swept a few at a time, and entries evicted when the folder is full.
//!
//! A cursor goes round through the keys; all processes share it, since it is kept beside the entries. LMDB gives back
//! whole pages only, so an eviction drops runs of neighbours, and skips seven times as many after each, so that
//! not all of one function's entries go first. Large entries have pages of their own, and runs of them end early.

use super::env::{CURSOR_KEY, Opened, is_own};
use super::value::Stored;
use heed::{Result, RwTxn};
use std::ops::Bound;

/// A write in so many sweeps, and looks at so many entries: two a write.
const WRITES_PER_SWEEP: u32 = 8;
const SWEPT: usize = 16;
/// Looked at for expired ones before a live entry is evicted.
const SWEPT_WHEN_FULL: usize = 4_096;
/// Neighbours that are evicted together, and how many are skipped for each.
const RUN: usize = 64;
const SKIPPED_EACH: usize = 7;

/// How much the entries of a folder may take.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// The pages of the entries together; the rest of the map is for pages that are written anew in a transaction
    /// while readers still see the old ones.
    pages: u64,
    /// One entry.
    entry: u64,
}

impl Room {
    pub(super) fn of_map(map_bytes: u64) -> Room {
        Room { pages: map_bytes / 8 * 7, entry: map_bytes / 4 }
    }

    /// The most that one entry may take.
    pub(super) fn entry(self) -> u64 {
        self.entry
    }

    /// The most that is stored in one transaction when there is more than one entry.
    pub(super) fn transaction(self) -> u64 {
        self.pages / 16
    }

    /// Makes room for a write of so many bytes, and sweeps a little where it is this write's turn.
    pub(super) fn prepare(self, opened: &Opened, txn: &mut RwTxn<'_>, bytes: u64, turn: u32) -> Result<()> {
        if turn.is_multiple_of(WRITES_PER_SWEEP) {
            sweep(opened, txn, SWEPT)?;
        }
        if used(opened, txn)? + bytes <= self.pages {
            return Ok(());
        }
        sweep(opened, txn, SWEPT_WHEN_FULL)?;
        // A little more than asked for, so that not every write comes here.
        let target = self.pages - self.pages / 32;
        evict(opened, txn, target.saturating_sub(bytes))
    }

    /// Drops entries of so many bytes together, at least.
    pub(super) fn free(self, opened: &Opened, txn: &mut RwTxn<'_>, bytes: u64) -> Result<()> {
        let before = used(opened, txn)?;
        let target = before.saturating_sub(bytes.max(self.pages / 16));
        evict(opened, txn, target)?;
        // Writes something even if there was nothing to drop: each transaction that writes brings the pages that
        // earlier ones gave back closer to being used.
        let cursor = opened.entries.get(txn, CURSOR_KEY)?.unwrap_or_default().to_vec();
        opened.entries.put(txn, CURSOR_KEY, &cursor)
    }
}

/// What the entries take: pages in use, without those that were given back.
fn used(opened: &Opened, txn: &RwTxn<'_>) -> Result<u64> {
    let stat = opened.entries.stat(txn)?;
    Ok((stat.branch_pages + stat.leaf_pages + stat.overflow_pages) as u64 * opened.page_bytes)
}

/// Drops entries until they take no more than this.
fn evict(opened: &Opened, txn: &mut RwTxn<'_>, target: u64) -> Result<()> {
    loop {
        let over = used(opened, txn)?.saturating_sub(target);
        if over == 0 || !pass(opened, txn, over, 0)? {
            return Ok(());
        }
    }
}

/// Drops the expired ones of so many entries.
fn sweep(opened: &Opened, txn: &mut RwTxn<'_>, entries: usize) -> Result<()> {
    pass(opened, txn, 0, entries).map(drop)
}

/// Drops a run of entries behind the cursor, of `bytes` together or a little more; looks at `swept` more, and as many
/// as the run asks for, and drops the expired ones of those. The cursor then stands behind all of them. Whether there
/// may be entries left.
fn pass(opened: &Opened, txn: &mut RwTxn<'_>, mut bytes: u64, mut swept: usize) -> Result<bool> {
    let cursor = opened.entries.get(txn, CURSOR_KEY)?.unwrap_or_default().to_vec();
    let start = if cursor.is_empty() { Bound::Unbounded } else { Bound::Excluded(&*cursor) };
    let mut doomed = Vec::new();
    let (mut last, mut any) = (Vec::new(), false);
    for entry in opened.entries.range(txn, &(start, Bound::Unbounded))? {
        let (key, stored) = entry?;
        // Ours lie behind all entries. Behind the last entry the cursor starts over.
        if is_own(key) {
            last.clear();
            break;
        }
        any = true;
        key.clone_into(&mut last);
        if bytes > 0 && doomed.len() < RUN {
            bytes = bytes.saturating_sub((key.len() + stored.len()) as u64);
            swept += SKIPPED_EACH;
            doomed.push(key.to_vec());
            continue;
        }
        if Stored::live(stored).is_none() {
            doomed.push(key.to_vec());
        }
        swept -= 1;
        if swept == 0 {
            break;
        }
    }
    for key in &doomed {
        opened.entries.delete(txn, key)?;
    }
    if last != cursor {
        opened.entries.put(txn, CURSOR_KEY, &last)?;
    }
    Ok(any || !cursor.is_empty())
}
