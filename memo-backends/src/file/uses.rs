//! When entries were last used: hints for evictions, shared by all processes.
//!
//! A read is a transaction without locks and must not write, so uses are noted beside the entries: in a table in memory,
//! slots in groups that keys are hashed to, with a few bits of the key, which a read looks at and changes only if outdated. Tables of
//! several processes meet in a file: at intervals, before an eviction and at the end, each takes over what is newer
//! there and leaves there what is newer here. The file is read and written as such, since a write to a map of it could
//! end the process when the disk is full, or when somebody cut it off.
//!
//! Time goes by the number of the transaction, which every read knows, which needs no clock and which only a write
//! moves: while nobody writes, no read changes anything.
//!
//! All this is approximate on purpose. A key that finds its group full takes the place of the one that was used longest
//! ago; two keys of the same bits look alike; a slot that two processes write at the same moment may be lost. Whatever the file says, only the order of evictions follows from it.

use super::folder::open_private;
use foldhash::fast::FixedState;
use parking_lot::Mutex;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Beside the files of LMDB, so that it goes wherever they go.
const NAME: &str = "uses";

/// Transactions that count as one moment: less to write for those that read while others write.
const TRANSACTIONS: usize = 4;

/// A slot for so many bytes of the folder, within these bounds.
const BYTES_PER_SLOT: u64 = 256;
const SLOTS: std::ops::RangeInclusive<u64> = 4_096..=1 << 17;

/// Slots that are made, read and written together: a page of the file.
const PAGE: usize = 1_024;
const SLOT_BYTES: usize = size_of::<u32>();
/// Slots that a key may have: without a choice, keys that are used often would push each other out; and without the bits of
/// the key beside the moment, what shares a slot with one of them would stay for ever.
const GROUP: usize = 4;

/// A slot: these bits of the moment, and above them eight of the key.
const MOMENT_BITS: u32 = 24;
const MOMENTS: u32 = (1 << MOMENT_BITS) - 1;

/// A moment, later ones with higher numbers; 0 is before all.
pub(super) type Moment = u32;

/// The moment of a transaction.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "wraps after 2^26 writes, and then misleads evictions for a while")]
pub(super) fn moment(transaction: usize) -> Moment {
    ((transaction / TRANSACTIONS + 1) as u32 & MOMENTS).max(1)
}

fn moment_of(slot: u32) -> Moment {
    slot & MOMENTS
}

pub(super) struct Uses {
    /// Made when the first of their keys is used.
    pages: Box<[OnceLock<Box<Page>>]>,
    /// `None` where it could not be opened: then each process goes by its own uses.
    file: Mutex<Option<File>>,
}

struct Page {
    slots: [AtomicU32; PAGE],
    /// A slot was changed here since the file was written.
    changed: AtomicBool,
}

impl Page {
    fn new() -> Box<Page> {
        Box::new(Page { slots: [const { AtomicU32::new(0) }; PAGE], changed: AtomicBool::new(false) })
    }
}

impl Uses {
    /// The table of a folder of this size, shared through a file. `entries` is where LMDB keeps its own.
    pub(super) fn open(entries: &Path, map_bytes: u64) -> Uses {
        let uses = Uses::in_memory(map_bytes);
        *uses.file.lock() = open_private(&entries.join(NAME)).ok();
        uses
    }

    /// A table that no other process sees.
    pub(super) fn in_memory(map_bytes: u64) -> Uses {
        let slots = (map_bytes / BYTES_PER_SLOT).next_power_of_two().clamp(*SLOTS.start(), *SLOTS.end());
        let pages = usize::try_from(slots).unwrap_or(PAGE) / PAGE;
        Uses { pages: (0..pages).map(|_| OnceLock::new()).collect(), file: Mutex::new(None) }
    }

    /// Where a key's use is noted. Asked for before the entry is searched, and not looked at before it is found: the
    /// processor then waits for this memory and for that of the entry at the same time, and guesses nothing wrong
    /// meanwhile.
    #[inline]
    pub(super) fn of(&self, key: &[u8]) -> Use<'_> {
        let Place { page, group, tag } = self.place(key);
        let page = self.pages[page].get_or_init(Page::new);
        Use { page, group, tag, first: page.slots[group].load(Ordering::Relaxed) }
    }

    /// When a key was last used, as far as is known here.
    pub(super) fn last(&self, key: &[u8]) -> Moment {
        let Place { page, group, tag } = self.place(key);
        let Some(page) = self.pages[page].get() else { return 0 };
        let slots = page.slots[group..group + GROUP].iter().map(|slot| slot.load(Ordering::Relaxed));
        slots.filter(|found| found & !MOMENTS == tag).map(moment_of).max().unwrap_or(0)
    }

    /// A number that has nothing to do with the use of a key.
    pub(super) fn chance(key: &[u8]) -> u16 {
        (FixedState::with_seed(1).hash_one(key) >> 48) as u16
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower bits are as good as any")]
    fn place(&self, key: &[u8]) -> Place {
        let hash = FixedState::with_seed(0).hash_one(key);
        let tag = (hash >> 32) as u32 & !MOMENTS;
        let hash = hash as usize;
        // There are as many pages as a power of two.
        Place { page: (hash / PAGE) & (self.pages.len() - 1), group: hash % PAGE / GROUP * GROUP, tag }
    }

    /// Writes what was noted here.
    pub(super) fn tell(&self, now: Moment) {
        self.exchange(now, false);
    }

    /// Writes what was noted here, and takes over what others wrote.
    pub(super) fn tell_and_hear(&self, now: Moment) {
        self.exchange(now, true);
    }

    /// A failure loses hints.
    fn exchange(&self, now: Moment, all: bool) {
        let mut file = self.file.lock();
        let Some(file) = file.as_mut() else { return };
        let length = file.metadata().map_or(0, |found| found.len());
        for (number, page) in self.pages.iter().enumerate() {
            let offset = (number * PAGE * SLOT_BYTES) as u64;
            let changed = page.get().is_some_and(|page| page.changed.swap(false, Ordering::Relaxed));
            if !changed && (!all || offset >= length) {
                continue;
            }
            let page = page.get_or_init(Page::new);
            if page.exchange(file, offset, now).is_err() && changed {
                page.changed.store(true, Ordering::Relaxed);
            }
        }
    }
}

struct Place {
    page: usize,
    /// The first slot of the group.
    group: usize,
    /// The bits of the key in a slot.
    tag: u32,
}

/// The use of one key.
pub(super) struct Use<'a> {
    page: &'a Page,
    group: usize,
    tag: u32,
    /// What the first slot of the group held.
    first: u32,
}

impl Use<'_> {
    /// Notes that the key was used.
    #[inline]
    pub(super) fn note(self, now: Moment) {
        let used = self.tag | now;
        if self.first == used {
            return;
        }
        let (mut slot, mut oldest) = (self.group, u32::MAX);
        for (at, held) in self.page.slots[self.group..self.group + GROUP].iter().enumerate() {
            let held = held.load(Ordering::Relaxed);
            if held == used {
                return;
            }
            // That of this key, else the one that was used longest ago.
            let age = if held & !MOMENTS == self.tag { 0 } else { moment_of(held) + 1 };
            if age < oldest {
                (slot, oldest) = (self.group + at, age);
            }
        }
        self.page.slots[slot].store(used, Ordering::Relaxed);
        self.page.changed.store(true, Ordering::Relaxed);
    }
}

impl Page {
    fn exchange(&self, file: &mut File, offset: u64, now: Moment) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(PAGE * SLOT_BYTES);
        file.seek(SeekFrom::Start(offset))?;
        file.take((PAGE * SLOT_BYTES) as u64).read_to_end(&mut bytes)?;
        // What was never written is as it is behind the end of the file.
        bytes.resize(PAGE * SLOT_BYTES, 0);
        let mut newer_here = false;
        for (slot, there) in self.slots.iter().zip(bytes.as_chunks_mut::<SLOT_BYTES>().0) {
            let mut other = u32::from_le_bytes(*there);
            // A moment that is not yet: of an earlier environment, or no table at all. The next moment may have come.
            if moment_of(other) > now.saturating_add(1) {
                other = 0;
            }
            let own = slot.load(Ordering::Relaxed);
            if moment_of(own) > moment_of(other) {
                newer_here = true;
                *there = own.to_le_bytes();
            } else if own != other {
                slot.store(other, Ordering::Relaxed);
            }
        }
        if newer_here {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 8 << 20;

    #[test]
    fn uses_of_two_processes_meet_in_the_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (one, other) = (Uses::open(folder.path(), BYTES), Uses::open(folder.path(), BYTES));
        one.of(b"a").note(7);
        other.of(b"a").note(5);
        other.of(b"b").note(9);
        one.tell(9);
        other.tell(9);
        assert_eq!((other.last(b"a"), other.last(b"b")), (7, 9), "the newer one counts");
        one.tell_and_hear(9);
        assert_eq!((one.last(b"a"), one.last(b"b")), (7, 9));
        let third = Uses::open(folder.path(), BYTES);
        third.tell_and_hear(9);
        assert_eq!((third.last(b"a"), third.last(b"b"), third.last(b"c")), (7, 9, 0));
        Ok(())
    }

    #[test]
    fn only_what_changed_is_written() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let uses = Uses::open(folder.path(), BYTES);
        uses.tell_and_hear(7);
        assert_eq!(std::fs::metadata(folder.path().join(NAME))?.len(), 0);
        uses.of(b"a").note(7);
        uses.tell(7);
        assert!(std::fs::metadata(folder.path().join(NAME))?.len() > 0);
        std::fs::write(folder.path().join(NAME), "")?;
        uses.of(b"a").note(7);
        uses.tell(7);
        assert_eq!(std::fs::metadata(folder.path().join(NAME))?.len(), 0, "nothing new to tell");
        Ok(())
    }

    #[test]
    fn a_table_that_is_foreign_or_cut_off_misleads_nobody_for_long() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(NAME), vec![0xff; 20_001])?;
        let uses = Uses::open(folder.path(), BYTES);
        for key in 0..100_u8 {
            uses.of(&[key]).note(u32::from(key) + 1);
        }
        uses.tell_and_hear(100);
        assert!((0..100_u8).all(|key| (u32::from(key) + 1..=100).contains(&uses.last(&[key]))));
        std::fs::remove_file(folder.path().join(NAME))?;
        std::fs::create_dir(folder.path().join(NAME))?;
        let without = Uses::open(folder.path(), BYTES);
        without.of(b"a").note(7);
        without.tell_and_hear(7);
        assert_eq!(without.last(b"a"), 7);
        Ok(())
    }

    #[test]
    fn moments_go_on_and_are_never_none() {
        assert_eq!(moment(0), 1);
        assert!(moment(1_000) < moment(1_000 + TRANSACTIONS));
    }
}
