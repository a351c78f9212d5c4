//! What was removed from a shard and maybe is still read, until it can be freed.
//!
//! To ask whether readers left has the kernel interrupt every thread, so one answer is used by all: what waits is sealed
//! once there is enough of it, and freed when there is as much again, if anybody asked in between, which mostly another
//! shard did.
#![allow(unsafe_code)]

use super::node::Node;
use super::owned::{Owned, Types};
use super::table::Table;
use crate::epoch;
use std::ptr::NonNull;

/// Removed nodes that wait in a shard, at the most, if nobody reads for long.
const MAX_WAITING: usize = 128;

/// Removed, but maybe still read.
pub(super) enum Removed {
    Node(Node),
    Table(NonNull<Table>),
}

// SAFETY: a table is made of atomics and nodes, which are `Send`.
unsafe impl Send for Removed {}

/// The removed of one shard, under its lock.
#[derive(Default)]
pub(super) struct Waiting {
    /// Removed since others were sealed.
    open: Vec<Removed>,
    /// Removed before this epoch ended.
    sealed: Vec<Removed>,
    epoch: u64,
    /// As many may wait until it is tried to free them.
    patience: usize,
    /// What held them before, for its memory.
    spare: Vec<Removed>,
}

/// What to do outside of the lock.
pub(super) enum Due {
    /// These can be freed.
    Free(Vec<Removed>),
    /// These can be, if [readers left](epoch::readers_left) by now.
    Ask(Vec<Removed>),
}

impl Waiting {
    pub(super) fn push(&mut self, removed: Removed) {
        self.open.push(removed);
    }

    /// Whether it is time to free some, where so many entries are left.
    pub(super) fn is_due(&self, entries: usize) -> bool {
        // As long as it is a sixteenth of what there is, nobody notices.
        let enough = (entries / 16).clamp(1, MAX_WAITING) / 2;
        let waits = self.open.len();
        waits >= self.patience && (waits > enough || self.has_table())
    }

    /// Whether a table was the last that was removed.
    fn has_table(&self) -> bool {
        matches!(self.open.last(), Some(Removed::Table(_)))
    }

    /// What is to be freed: everything, or what is due.
    pub(super) fn take(&mut self, all: bool) -> Option<Due> {
        // A table is large, and maybe nothing more is stored that would free it.
        if all || self.patience > 0 || self.has_table() {
            self.sealed.append(&mut self.open);
            return (!self.sealed.is_empty()).then(|| Due::Ask(self.swap_sealed()));
        }
        let (is_sealed, can_go) = (!self.sealed.is_empty(), epoch::have_left(self.epoch));
        if is_sealed && !can_go {
            self.sealed.append(&mut self.open);
            return Some(Due::Ask(self.swap_sealed()));
        }
        let free = self.swap_sealed();
        std::mem::swap(&mut self.open, &mut self.sealed);
        self.epoch = epoch::sealed();
        Some(Due::Free(free))
    }

    fn swap_sealed(&mut self) -> Vec<Removed> {
        std::mem::replace(&mut self.sealed, std::mem::take(&mut self.spare))
    }

    /// Takes back what could not go, if anything, and what held it.
    pub(super) fn put_back(&mut self, mut rest: Vec<Removed>) {
        // Somebody reads for long: it is not asked again at every store.
        self.patience = rest.len() * 2;
        self.open.append(&mut rest);
        if rest.capacity() <= 2 * MAX_WAITING {
            self.spare = rest;
        }
    }

    /// All that waits, for the end of the shard.
    pub(super) fn end(&mut self) -> impl Iterator<Item = Removed> {
        std::mem::take(&mut self.open).into_iter().chain(std::mem::take(&mut self.sealed))
    }
}

impl Removed {
    /// # Safety
    /// Nobody finds it or still has it, and a node is of these types.
    pub(super) unsafe fn free(self, types: &'static Types) {
        match self {
            // SAFETY: as the caller says.
            Removed::Node(node) => drop(unsafe { Owned::taken(node, types) }),
            // SAFETY: as the caller says; it was leaked from a box.
            Removed::Table(table) => drop(unsafe { Box::from_raw(table.as_ptr()) }),
        }
    }
}

#[cfg(all(test, not(any(shuttle, loom))))]
mod tests {
    use super::super::{Bound, Entry, Local};
    use super::*;
    use crate::clock::{self, Tick};
    use std::num::NonZeroUsize;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn a_table_that_was_replaced_waits_for_no_others() {
        let mut waiting = Waiting::default();
        assert!(!waiting.is_due(100_000) && waiting.take(true).is_none());
        waiting.push(Removed::Table(NonNull::dangling()));
        assert!(waiting.is_due(100_000));
        let Some(Due::Ask(removed)) = waiting.take(false) else { panic!("it is asked whether it can go") };
        assert_eq!(removed.len(), 1);
        // Somebody reads: it is kept, and asked for again when as much again waits.
        waiting.put_back(removed);
        assert!(!waiting.is_due(100_000));
        waiting.push(Removed::Table(NonNull::dangling()));
        assert!(waiting.is_due(100_000));
        assert!(matches!(waiting.take(false), Some(Due::Ask(removed)) if removed.len() == 2));
    }

    #[test]
    fn what_was_evicted_is_freed_as_others_are_stored() {
        static ALIVE: AtomicUsize = AtomicUsize::new(0);
        struct Alive;
        impl Drop for Alive {
            fn drop(&mut self) {
                ALIVE.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let alive = || ALIVE.load(Ordering::Relaxed);
        let local = Local::<u32, Arc<Alive>>::new(Bound::Entries(NonZeroUsize::MIN.saturating_add(999)), None, false);
        let store = |key: u32| {
            ALIVE.fetch_add(1, Ordering::Relaxed);
            let value = Arc::new(Alive);
            let entry = Entry { value, created: clock::now(), deadline: Tick::NEVER, marks: None };
            let hash = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            drop(local.engine().insert(&epoch::pin(), hash, local.node(hash, key, entry, Duration::ZERO)));
            local.engine().free_sometimes(hash);
        };
        (0..50_000).for_each(store);
        // Other tests of this process read, and one that was interrupted may keep all of it. Then more is stored.
        let few = (50_000..5_000_000).any(|key| {
            store(key);
            std::thread::yield_now();
            alive() <= 1_000 + 1_000 / 16
        });
        assert!(few, "{} are alive of 1,000", alive());
    }
}
