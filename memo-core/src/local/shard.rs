//! A part of a memo: a table that is read without a lock, and behind a lock the loads under way, a policy that says what is
//! evicted, and what waits to be freed.
#![allow(unsafe_code)]

use super::locked::Locked;
use super::owned::{Owned, Types};
use super::policy::{Bound, Policy};
use super::prefetch;
use super::seen::Seen;
use super::table::Table;
use super::waiting::{Due, Removed, Waiting};
use crate::clock::Tick;
use crate::epoch::{self, Pin, Pinned};
use crate::memo::Underway;
use crate::sync::{AtomicPtr, Mutex};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Expired entries that are taken out under one lock, more or less.
const SWEPT_AT_ONCE: usize = 64;
/// Parts of a table that are looked at under one pin.
const LOOKED_AT_ONCE: usize = 1024;

/// What readers look at is on cache lines of its own, or each of them would wait for those who store.
#[repr(align(128))]
pub(super) struct Shard {
    /// Never null. A table that was replaced waits to be freed as nodes do.
    table: AtomicPtr<Table>,
    /// How many tables were replaced so far.
    moves: AtomicUsize,
    /// Before this, nothing in it expires.
    earliest: AtomicU64,
    changed: Changed,
}

/// What every miss changes.
#[repr(align(128))]
struct Changed {
    state: Mutex<State>,
    len: AtomicUsize,
    weight: AtomicU64,
}

/// What a shard's lock guards, beside its table.
pub(super) struct State {
    /// A load enters and leaves under the lock under which it looks and stores: a miss takes it twice, and no other.
    pub(super) loads: Underway,
    pub(super) policy: Option<Policy>,
    pub(super) max: u64,
    pub(super) waiting: Waiting,
}

/// How far a search for what has expired is.
pub(super) struct Looking {
    now: Tick,
    /// The next part of the table.
    at: usize,
    /// When the first of those expires that were fresh.
    earliest: Tick,
    /// How many tables had been replaced when it began.
    moves: usize,
}

impl Shard {
    pub(super) fn new(max: u64, bound: Bound, by_cost: bool) -> Self {
        let state = State {
            loads: Underway::default(),
            policy: (bound != Bound::None).then(|| Policy::new(max, matches!(bound, Bound::Weight(_)), by_cost)),
            max,
            waiting: Waiting::default(),
        };
        Shard {
            table: AtomicPtr::new(Box::into_raw(Box::new(Table::with_room(0)))),
            moves: AtomicUsize::new(0),
            earliest: AtomicU64::new(Tick::NEVER.nanos()),
            changed: Changed { state: Mutex::new(state), len: AtomicUsize::new(0), weight: AtomicU64::new(0) },
        }
    }

    #[inline(always)]
    pub(super) fn table<'a>(&self, _pin: &'a impl Pinned) -> &'a Table {
        // SAFETY: it is never null, and a table that another replaces is freed only when nobody is pinned any more who
        // may have seen it.
        unsafe { &*self.table.load(Ordering::Acquire) }
    }

    /// Has the processor fetch what a miss changes.
    pub(super) fn prefetch(&self) {
        prefetch::all(&self.changed);
    }

    pub(super) fn state(&self) -> &Mutex<State> {
        &self.changed.state
    }

    pub(super) fn len(&self) -> usize {
        self.changed.len.load(Ordering::Relaxed)
    }

    pub(super) fn weight(&self) -> u64 {
        self.changed.weight.load(Ordering::Relaxed)
    }

    /// Under the lock.
    pub(super) fn set_len(&self, len: usize) {
        self.changed.len.store(len, Ordering::Relaxed);
    }

    /// Under the lock.
    pub(super) fn set_weight(&self, weight: u64) {
        self.changed.weight.store(weight, Ordering::Relaxed);
    }

    /// Before this, nothing in it expires.
    pub(super) fn earliest(&self) -> Tick {
        Tick::from_nanos(self.earliest.load(Ordering::SeqCst))
    }

    /// An entry was stored that expires then; whether all others expire later. Under the lock.
    pub(super) fn expect(&self, deadline: Tick) -> bool {
        let is_first = deadline.nanos() < self.earliest.load(Ordering::Relaxed);
        if is_first {
            // Before `NEXT` of the sweeper is read, which writes that one before it reads this.
            self.earliest.fetch_min(deadline.nanos(), Ordering::SeqCst);
        }
        is_first
    }

    /// Moves to a table with room for so many.
    pub(super) fn move_to(&self, pin: &Pin, state: &mut State, room: usize) {
        let new = Table::with_room(room);
        self.table(pin).nodes().for_each(|node| new.insert(node));
        // Before: who has seen the new one knows that there was a move.
        self.moves.fetch_add(1, Ordering::Relaxed);
        let old = self.table.swap(Box::into_raw(Box::new(new)), Ordering::AcqRel);
        if let Some(old) = NonNull::new(old) {
            state.waiting.push(Removed::Table(old));
        }
    }

    /// Begins to look for what had expired by `now`; `None` if nothing has.
    pub(super) fn begin_sweep(&self, now: Tick) -> Option<Looking> {
        if self.earliest() > now {
            return None;
        }
        // What is stored from here on says so itself. Under the lock, or what is just being stored might look at the
        // time before and find no need to say, while it is not yet seen in the table.
        let _state = self.state().lock();
        self.earliest.swap(Tick::NEVER.nanos(), Ordering::SeqCst);
        let moves = self.moves.load(Ordering::Acquire);
        Some(Looking { now, at: 0, earliest: Tick::NEVER, moves })
    }

    /// Takes out some of what has expired; `None` once all was looked at. Looks without the lock.
    pub(super) fn sweep_some<'a>(&self, pin: &'a Pin, looking: &mut Looking) -> Option<Vec<Seen<'a>>> {
        let mut expired = Vec::new();
        let first = looking.at;
        while expired.len() < SWEPT_AT_ONCE && looking.at < first + LOOKED_AT_ONCE {
            let Some(nodes) = self.table(pin).part(looking.at) else { break };
            looking.at += 1;
            for node in nodes {
                match node.deadline() {
                    deadline if deadline <= looking.now => expired.push(node),
                    deadline => looking.earliest = looking.earliest.min(deadline),
                }
            }
        }
        if expired.is_empty() {
            return (looking.at > first).then(Vec::new);
        }
        let mut locked = Locked::new(self);
        // One may have gone since it was seen.
        expired.retain(|node| self.table(pin).find(node.head().hash, |other| other == *node).is_some());
        for node in &expired {
            locked.take_out(pin, *node);
        }
        drop(locked);
        Some(expired.into_iter().map(|node| Seen::new(node, pin)).collect())
    }

    /// All of it was looked at, or that had to end.
    pub(super) fn end_sweep(&self, looking: &Looking, is_over: bool) {
        // In another table the entries are elsewhere, and some were not looked at.
        let is_complete = is_over && self.moves.load(Ordering::Acquire) == looking.moves;
        let earliest = if is_complete { looking.earliest } else { looking.now };
        self.earliest.fetch_min(earliest.nanos(), Ordering::SeqCst);
        Locked::new(self).shrink(&epoch::pin());
    }

    /// Frees what was removed and nobody reads any more: all of it, or if that is worth it by now.
    pub(super) fn free(&self, types: &'static Types, all: bool) {
        let mut state = self.state().lock();
        if !all && !state.waiting.is_due(self.len()) {
            return;
        }
        let due = state.waiting.take(all);
        drop(state);
        let (mut removed, can_go) = match due {
            None => return,
            Some(Due::Free(removed)) => (removed, true),
            Some(Due::Ask(removed)) => (removed, epoch::readers_left()),
        };
        if can_go {
            // SAFETY: it was unlinked before, under the lock, and nobody reads any more who began before.
            removed.drain(..).for_each(|removed| unsafe { removed.free(types) });
        }
        self.state().lock().waiting.put_back(removed);
    }

    /// Frees all there is.
    ///
    /// # Safety
    /// Nobody reads it, or will, and its nodes are of these types.
    pub(super) unsafe fn free_all(&mut self, types: &'static Types) {
        // SAFETY: it is never null, and nobody else has it.
        let table = unsafe { Box::from_raw(self.table.load(Ordering::Acquire)) };
        // SAFETY: as the caller says.
        table.nodes().for_each(|node| drop(unsafe { Owned::taken(node, types) }));
        let mut state = self.state().lock();
        // SAFETY: as the caller says.
        state.waiting.end().for_each(|removed| unsafe { removed.free(types) });
    }
}
