//! A part of the entries of one memo: a table that is read without a lock, and behind a lock a policy that says what is
//! evicted, and what waits to be freed.
#![allow(unsafe_code)]

use super::node::Node;
use super::owned::{Owned, Types};
use super::policy::{Bound, Policy};
use super::seen::{Evicted, Seen, Went};
use super::table::Table;
use crate::clock::Tick;
use crate::epoch::{self, Pin};
use crate::sync::{AtomicPtr, Mutex, MutexGuard};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Removed nodes that wait in a shard, at the most: freeing asks all threads, so it is done for many at once.
const MAX_WAITING: usize = 128;
/// Expired entries that are taken out under one lock, more or less.
const SWEPT_AT_ONCE: usize = 64;
/// Parts of a table that are looked at under one pin.
const LOOKED_AT_ONCE: usize = 1024;

/// On cache lines of its own: its lock is written to.
#[repr(align(128))]
pub(super) struct Shard {
    /// Never null. A table that was replaced waits to be freed as nodes do.
    table: AtomicPtr<Table>,
    /// How many tables were replaced so far.
    moves: AtomicUsize,
    len: AtomicUsize,
    weight: AtomicU64,
    /// Before this, nothing in it expires.
    earliest: AtomicU64,
    state: Mutex<State>,
}

/// What a shard's lock guards, beside its table.
struct State {
    policy: Option<Policy>,
    max: u64,
    waiting: Vec<Waiting>,
    /// As many may wait until it is tried to free them.
    patience: usize,
    /// What waited before, for its memory.
    spare: Vec<Waiting>,
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

/// Removed, but maybe still read.
enum Waiting {
    Node(Node),
    Table(NonNull<Table>),
}

// SAFETY: a table is made of atomics and nodes, which are `Send`.
unsafe impl Send for Waiting {}

impl Shard {
    pub(super) fn new(max: u64, bound: Bound, by_cost: bool) -> Self {
        Shard {
            table: AtomicPtr::new(Box::into_raw(Box::new(Table::with_room(0)))),
            moves: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            weight: AtomicU64::new(0),
            earliest: AtomicU64::new(Tick::NEVER.nanos()),
            state: Mutex::new(State {
                policy: (bound != Bound::None).then(|| Policy::new(max, matches!(bound, Bound::Weight(_)), by_cost)),
                max,
                waiting: Vec::new(),
                patience: 0,
                spare: Vec::new(),
            }),
        }
    }

    #[inline(always)]
    pub(super) fn table<'a>(&self, _pin: &'a Pin) -> &'a Table {
        // SAFETY: it is never null, and a table that another replaces is freed only when nobody is pinned any more who
        // may have seen it.
        unsafe { &*self.table.load(Ordering::Acquire) }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Before this, nothing in it expires.
    pub(super) fn earliest(&self) -> Tick {
        Tick::from_nanos(self.earliest.load(Ordering::SeqCst))
    }

    /// Stores a node in the place of the one of its hash to which `is` says yes, and evicts what there is no room for.
    pub(super) fn store<'a>(&self, pin: &'a Pin, hash: u32, node: Owned, is: &dyn Fn(Node) -> bool) -> Went<'a> {
        let (weight, deadline) = (node.node().weight(), node.node().deadline());
        let mut went =
            Went { replaced: None, evicted: Evicted::default(), too_heavy: None, is_due: false, expires: None };
        let mut state = self.state.lock();
        let old = self.table(pin).find(hash, is);
        went.replaced = old.map(|old| Seen::new(old, pin));
        match old {
            // As heavy as the one before, so there is room for it.
            Some(old) if weight == old.weight() => self.put_instead(pin, &mut state, old, node.give()),
            _ => {
                if let Some(old) = old {
                    self.take_out(pin, &mut state, old);
                }
                if weight > state.max {
                    went.too_heavy = Some(node);
                } else {
                    self.put(pin, &mut state, node.give(), &mut went.evicted);
                }
            }
        }
        went.is_due = self.is_due(&state);
        if deadline.nanos() < self.earliest.load(Ordering::Relaxed) {
            // Before `NEXT` of the sweeper is read, which writes that one before it reads this.
            self.earliest.fetch_min(deadline.nanos(), Ordering::SeqCst);
            went.expires = Some(deadline);
        }
        drop(state);
        went
    }

    /// Takes out the node of this hash that has the key, if `is` says yes.
    pub(super) fn remove<'a>(
        &self,
        pin: &'a Pin,
        hash: u32,
        has_key: &dyn Fn(Node) -> bool,
        is: &dyn Fn(Seen<'a>) -> bool,
    ) -> Option<Seen<'a>> {
        let mut state = self.state.lock();
        let seen = Seen::new(self.table(pin).find(hash, has_key)?, pin);
        if !is(seen) {
            return None;
        }
        self.take_out(pin, &mut state, seen.node());
        Some(seen)
    }

    /// Takes out every node to which `is` says yes.
    pub(super) fn remove_all<'a>(&self, pin: &'a Pin, is: &dyn Fn(Node) -> bool) -> Vec<Seen<'a>> {
        let mut state = self.state.lock();
        let nodes = self.table(pin).nodes().filter(|node| is(*node));
        let taken: Vec<Seen<'a>> = nodes.map(|node| Seen::new(node, pin)).collect();
        for seen in &taken {
            self.take_out(pin, &mut state, seen.node());
        }
        self.shrink(pin, &mut state);
        taken
    }

    /// Puts a node in whose key is not there, and evicts what there is no room for with it.
    fn put<'a>(&self, pin: &'a Pin, state: &mut State, node: Node, evicted: &mut Evicted<'a>) {
        let weight = node.weight();
        let most = state.max - weight;
        let State { policy, waiting, .. } = state;
        if let Some(policy) = policy {
            let coming = policy.expect(node, self.weight.load(Ordering::Relaxed) > most);
            // First, so that it is not itself what is evicted.
            while self.weight.load(Ordering::Relaxed) > most
                && let Some(victim) = policy.evict(coming)
            {
                self.drop_from_table(pin, waiting, victim);
                evicted.push(Seen::new(victim, pin));
            }
            policy.add(node, coming);
        }
        let len = self.len.load(Ordering::Relaxed);
        if len >= self.table(pin).room() {
            self.grow(pin, state);
        }
        self.table(pin).insert(node);
        self.len.store(len + 1, Ordering::Relaxed);
        self.add_weight(node);
    }

    fn put_instead(&self, pin: &Pin, state: &mut State, old: Node, new: Node) {
        self.table(pin).replace(old, new);
        self.add_weight(new);
        self.subtract_weight(old);
        if let Some(policy) = &mut state.policy {
            policy.replace(old, new);
        }
        state.waiting.push(Waiting::Node(old));
    }

    /// Takes a node out of table and queue.
    fn take_out(&self, pin: &Pin, state: &mut State, node: Node) {
        if let Some(policy) = &mut state.policy {
            policy.remove(node);
        }
        self.drop_from_table(pin, &mut state.waiting, node);
    }

    fn drop_from_table(&self, pin: &Pin, waiting: &mut Vec<Waiting>, node: Node) {
        self.table(pin).remove(node);
        self.len.store(self.len.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        self.subtract_weight(node);
        waiting.push(Waiting::Node(node));
    }

    fn add_weight(&self, node: Node) {
        let weight = self.weight.load(Ordering::Relaxed);
        self.weight.store(weight.saturating_add(node.weight()), Ordering::Relaxed);
    }

    fn subtract_weight(&self, node: Node) {
        let weight = self.weight.load(Ordering::Relaxed);
        self.weight.store(weight.saturating_sub(node.weight()), Ordering::Relaxed);
    }

    /// Moves to a table twice as large, or as large as will ever be needed.
    fn grow(&self, pin: &Pin, state: &mut State) {
        let room = self.table(pin).room();
        let most = usize::try_from(state.max).unwrap_or(usize::MAX);
        self.move_to(pin, state, (room * 2).min(most.max(room + 1)));
    }

    /// Moves to a table with room for so many.
    fn move_to(&self, pin: &Pin, state: &mut State, room: usize) {
        let new = Table::with_room(room);
        self.table(pin).nodes().for_each(|node| new.insert(node));
        // Before: who has seen the new one knows that there was a move.
        self.moves.fetch_add(1, Ordering::Relaxed);
        let old = self.table.swap(Box::into_raw(Box::new(new)), Ordering::AcqRel);
        state.waiting.extend(NonNull::new(old).map(Waiting::Table));
    }

    /// Begins to look for what had expired by `now`; `None` if nothing has.
    pub(super) fn begin_sweep(&self, now: Tick) -> Option<Looking> {
        if self.earliest() > now {
            return None;
        }
        // What is stored from here on says so itself. Under the lock, or what is just being stored might look at the
        // time before and find no need to say, while it is not yet seen in the table.
        let _state = self.state.lock();
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
        let mut state = self.state.lock();
        // One may have gone since it was seen.
        expired.retain(|node| self.table(pin).find(node.head().hash, |other| other == *node).is_some());
        for node in &expired {
            self.take_out(pin, &mut state, *node);
        }
        drop(state);
        Some(expired.into_iter().map(|node| Seen::new(node, pin)).collect())
    }

    /// All of it was looked at, or that had to end.
    pub(super) fn end_sweep(&self, looking: &Looking, is_over: bool) {
        // In another table the entries are elsewhere, and some were not looked at.
        let is_complete = is_over && self.moves.load(Ordering::Acquire) == looking.moves;
        let earliest = if is_complete { looking.earliest } else { looking.now };
        self.earliest.fetch_min(earliest.nanos(), Ordering::SeqCst);
        self.shrink(&epoch::pin(), &mut self.state.lock());
    }

    fn is_due(&self, state: &State) -> bool {
        // As long as it is a sixteenth of what there is, nobody notices.
        let enough = (self.len.load(Ordering::Relaxed) / 16).clamp(1, MAX_WAITING);
        let has_table = matches!(state.waiting.last(), Some(Waiting::Table(_)));
        let waits = state.waiting.len();
        waits >= state.patience && (has_table || waits >= enough)
    }

    /// Frees what was removed and nobody reads any more: at once, or if that is worth it by now.
    pub(super) fn free(&self, types: &'static Types, at_once: bool) {
        let state = self.state.lock();
        let is_time = if at_once { !state.waiting.is_empty() } else { self.is_due(&state) };
        if is_time {
            self.free_waiting(state, types);
        }
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
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        // SAFETY: as the caller says.
        waiting.into_iter().for_each(|waiting| unsafe { waiting.free(types) });
    }

    fn free_waiting(&self, mut state: MutexGuard<'_, State>, types: &'static Types) {
        let spare = std::mem::take(&mut state.spare);
        let mut waiting = std::mem::replace(&mut state.waiting, spare);
        drop(state);
        let can_go = epoch::readers_left();
        if can_go {
            // SAFETY: it was unlinked before, under the lock, and nobody reads any more who began before.
            waiting.drain(..).for_each(|waiting| unsafe { waiting.free(types) });
        }
        let mut state = self.state.lock();
        state.waiting.append(&mut waiting);
        // Somebody reads for long: it is not asked again at every store.
        state.patience = if can_go { 0 } else { state.waiting.len() * 2 };
        if waiting.capacity() <= 2 * MAX_WAITING {
            state.spare = waiting;
        }
    }

    /// Gives memory back if so many entries went that an eighth of the room is enough.
    fn shrink(&self, pin: &Pin, state: &mut State) {
        let len = self.len.load(Ordering::Relaxed);
        if len < self.table(pin).room() / 8 {
            self.move_to(pin, state, len * 2);
            if let Some(policy) = &mut state.policy {
                policy.shrink();
            }
        }
    }
}

impl Waiting {
    /// # Safety
    /// Nobody finds it or still has it, and a node is of these types.
    unsafe fn free(self, types: &'static Types) {
        match self {
            // SAFETY: as the caller says.
            Waiting::Node(node) => drop(unsafe { Owned::taken(node, types) }),
            // SAFETY: as the caller says; it was leaked from a box.
            Waiting::Table(table) => drop(unsafe { Box::from_raw(table.as_ptr()) }),
        }
    }
}
