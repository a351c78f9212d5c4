//! The entries of one memo, without their types: shards, each a table that is read without a lock, a policy that says
//! what is evicted, and what waits to be freed.
#![allow(unsafe_code)]

use super::node::{Node, Owned, Types, in_shard};
use super::policy::Policy;
use super::table::Table;
use crate::clock::{self, Tick};
use crate::epoch::{self, Pin};
use crate::events::Cause;
use crate::sync::{AtomicPtr, Mutex, MutexGuard};
use std::any::Any;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// How much there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    None,
    Entries(NonZeroUsize),
    Weight(NonZeroU64),
}

/// Entries for which there is one more shard, since a policy that knows few of them decides badly.
const ENTRIES_PER_SHARD: usize = 4096;
/// So many threads seldom wait for each other.
const MAX_SHARDS: usize = 16;
/// Removed nodes that wait in a shard, at the most: freeing asks all threads, so it is done for many at once.
const MAX_WAITING: usize = 512;
/// Stores between two sweeps, at the least. A sweep visits every entry, so it comes after as many stores as the one
/// before left entries, and costs each store a constant.
pub(super) const SWEEP_AFTER: usize = 1024;
/// Expired entries that are taken out under one lock.
const SWEPT_AT_ONCE: usize = 64;

pub(crate) struct Engine {
    /// A power of two.
    shards: Box<[Shard]>,
    types: &'static Types,
    /// Entries that can expire and were stored since expired ones were last swept out.
    since_sweep: AtomicUsize,
    /// Whether an entry has ever left, other than for another one of its key.
    has_dropped: AtomicBool,
}

/// On cache lines of its own: its lock is written to.
#[repr(align(128))]
struct Shard {
    /// Never null. A table that was replaced waits to be freed as nodes do.
    table: AtomicPtr<Table>,
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

/// Removed, but maybe still read.
enum Waiting {
    Node(Node),
    Table(NonNull<Table>),
}

// SAFETY: a table is made of atomics and nodes, which are `Send`.
unsafe impl Send for Waiting {}

/// A node that somebody found while pinned: as long as the pin lives, it is not freed.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    node: Node,
    _pin: &'a Pin,
}

/// A key whose type the engine's owner knows.
type AnyKey = dyn Any + Send + Sync;

impl<'a> Seen<'a> {
    fn new(node: Node, pin: &'a Pin) -> Self {
        Seen { node, _pin: pin }
    }

    pub(super) fn node(self) -> Node {
        self.node
    }

    #[inline(always)]
    pub(crate) fn deadline(self) -> Tick {
        self.node.deadline()
    }

    /// Reads the clock only if the entry can expire.
    #[inline(always)]
    pub(crate) fn is_fresh(self) -> bool {
        super::is_fresh(self.deadline())
    }

    #[inline(always)]
    pub(crate) fn use_once(self) {
        self.node.head().use_once();
    }

    #[inline(always)]
    pub(crate) fn created(self) -> Tick {
        self.node.created()
    }
}

/// What went for a new entry.
pub(crate) struct Went<'a> {
    pub(super) replaced: Option<Seen<'a>>,
    pub(super) evicted: Evicted<'a>,
    /// The entry itself, which is heavier than all there may be.
    pub(super) too_heavy: Option<Owned>,
    /// Whether it is time to free what went.
    is_due: bool,
    /// When the entry that came expires, if it does so before all others of its shard.
    expires: Option<Tick>,
}

impl<'a> Went<'a> {
    /// How many entries went for want of room.
    pub(crate) fn evicted(&self) -> usize {
        self.evicted.len()
    }

    /// Whether the entry itself was not stored, since it is heavier than all there may be.
    pub(crate) fn is_too_heavy(&self) -> bool {
        self.too_heavy.is_some()
    }

    /// Whether it is time for [`free_sometimes`](Engine::free_sometimes).
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// When the entry that came expires, if it does so before all others near it.
    pub(crate) fn expires(&self) -> Option<Tick> {
        self.expires
    }

    /// Tells of what left by itself: of a fresh entry that was replaced its caller knows.
    pub(crate) fn tell(&self, gone: &mut dyn FnMut(Seen<'a>, Cause)) {
        if let Some(replaced) = self.replaced.filter(|seen| !seen.is_fresh()) {
            gone(replaced, Cause::Expired);
        }
        self.evicted.iter().for_each(|seen| gone(seen, Cause::Evicted));
    }
}

/// Mostly one, or none.
#[derive(Default)]
pub(super) struct Evicted<'a> {
    first: Option<Seen<'a>>,
    others: Vec<Seen<'a>>,
}

impl<'a> Evicted<'a> {
    fn push(&mut self, seen: Seen<'a>) {
        if self.first.is_none() {
            self.first = Some(seen);
        } else {
            self.others.push(seen);
        }
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Seen<'a>> {
        self.first.into_iter().chain(self.others.iter().copied())
    }
}

impl Engine {
    /// An empty one, which evicts what is cheap to load first if `by_cost`.
    ///
    /// # Safety
    /// The nodes that will be put in are of these types.
    pub(super) unsafe fn new(bound: Bound, by_cost: bool, types: &'static Types) -> Self {
        let shards = match bound {
            Bound::None => MAX_SHARDS,
            Bound::Entries(entries) => (entries.get() / ENTRIES_PER_SHARD).clamp(1, MAX_SHARDS),
            // All of the bound for whatever comes: an entry that is heavier than a shard's part could never be stored.
            Bound::Weight(_) => 1,
        };
        let shards = 1 << shards.ilog2();
        let max = |at| match bound {
            Bound::None => u64::MAX,
            Bound::Entries(entries) => (entries.get() / shards + usize::from(at < entries.get() % shards)) as u64,
            // So that what can't be weighed is too heavy for any bound.
            Bound::Weight(weight) => weight.get().min(u64::MAX / 2),
        };
        let shard = |at| Shard::new(max(at), bound, by_cost);
        Engine {
            shards: (0..shards).map(shard).collect(),
            types,
            since_sweep: AtomicUsize::new(0),
            has_dropped: AtomicBool::new(false),
        }
    }

    /// The shard goes by other bits of the hash than the place in it.
    #[inline(always)]
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
    }

    /// The node of this hash to which `is` says yes.
    #[inline(always)]
    pub(super) fn find<'a>(&self, pin: &'a Pin, hash: u64, is: impl FnMut(Node) -> bool) -> Option<Seen<'a>> {
        let table = self.shard(hash).table(pin);
        table.find(in_shard(hash), is).map(|node| Seen::new(node, pin))
    }

    /// Stores a node in the place of the one with its key, and evicts what there is no room for.
    pub(crate) fn insert<'a>(&self, pin: &'a Pin, hash: u64, node: Owned) -> Went<'a> {
        let shard = self.shard(hash);
        let weight = node.node().weight();
        let deadline = node.node().deadline();
        if deadline != Tick::NEVER {
            self.since_sweep.fetch_add(1, Ordering::Relaxed);
        }
        let new = node.node();
        // SAFETY: both are of the engine's types.
        let is = |other| unsafe { (self.types.have_one_key)(other, new) };
        let mut went =
            Went { replaced: None, evicted: Evicted::default(), too_heavy: None, is_due: false, expires: None };
        let mut state = shard.state.lock();
        let old = shard.table(pin).find(in_shard(hash), is);
        went.replaced = old.map(|old| Seen::new(old, pin));
        match old {
            // As heavy as the one before, so there is room for it.
            Some(old) if weight == old.weight() => shard.put_instead(pin, &mut state, old, node.give()),
            _ => {
                if let Some(old) = old {
                    shard.take_out(pin, &mut state, old);
                }
                if weight > state.max {
                    went.too_heavy = Some(node);
                } else {
                    shard.put(pin, &mut state, node.give(), &mut went.evicted);
                }
            }
        }
        went.is_due = shard.is_due(&state);
        if deadline.nanos() < shard.earliest.load(Ordering::Relaxed) {
            // Before `NEXT` of the sweeper is read, which writes that one before it reads this.
            shard.earliest.fetch_min(deadline.nanos(), Ordering::SeqCst);
            went.expires = Some(deadline);
        }
        drop(state);
        if (went.evicted() > 0 || went.is_too_heavy()) && self.dropped_nothing() {
            self.has_dropped.store(true, Ordering::Relaxed);
        }
        went
    }

    /// Takes out the node with this key, if `is` says yes to it.
    pub(crate) fn remove<'a>(
        &self,
        pin: &'a Pin,
        hash: u64,
        key: &AnyKey,
        is: &dyn Fn(Seen<'a>) -> bool,
    ) -> Option<Seen<'a>> {
        let shard = self.shard(hash);
        let mut state = shard.state.lock();
        // SAFETY: it is of the engine's types.
        let has_key = |node| unsafe { (self.types.has_key)(node, key) };
        let node = shard.table(pin).find(in_shard(hash), has_key).filter(|node| is(Seen::new(*node, pin)))?;
        shard.take_out(pin, &mut state, node);
        drop(state);
        self.has_dropped.store(true, Ordering::Relaxed);
        Some(Seen::new(node, pin))
    }

    /// The node with this key, for as long as the pin lives.
    pub(crate) fn find_key<'a>(&self, pin: &'a Pin, hash: u64, key: &AnyKey) -> Option<Seen<'a>> {
        // SAFETY: it is of the engine's types.
        self.find(pin, hash, |node| unsafe { (self.types.has_key)(node, key) })
    }

    /// Takes out every node to which `is` says yes, and tells of each, outside of the locks.
    fn remove_all<'a>(&self, pin: &'a Pin, is: &dyn Fn(Node) -> bool, gone: &mut dyn FnMut(Seen<'a>)) {
        for shard in &self.shards {
            let mut state = shard.state.lock();
            let taken: Vec<Node> = shard.table(pin).nodes().filter(|node| is(*node)).collect();
            for node in &taken {
                shard.take_out(pin, &mut state, *node);
            }
            shard.shrink(pin, &mut state);
            drop(state);
            if !taken.is_empty() {
                self.has_dropped.store(true, Ordering::Relaxed);
            }
            for node in taken {
                gone(Seen::new(node, pin));
            }
        }
    }

    /// Takes out every node that is there now.
    pub(crate) fn clear(&self, pin: &Pin) {
        self.remove_all(pin, &|_| true, &mut |_| ());
    }

    /// Takes expired entries out once enough were stored since the last time, and tells of each. For the end of a
    /// store, outside its locks.
    pub(crate) fn sweep_sometimes<'a>(&self, pin: &'a Pin, gone: &mut dyn FnMut(Seen<'a>)) {
        let stored = self.since_sweep.load(Ordering::Relaxed);
        if stored < SWEEP_AFTER {
            return;
        }
        // As many stores as there were entries after the last sweep.
        let due = stored >= self.len().saturating_sub(stored);
        if due && self.since_sweep.swap(0, Ordering::Relaxed) >= stored {
            let now = clock::now();
            self.remove_all(pin, &|node| node.deadline() <= now, gone);
        }
    }

    /// Drops what had expired by `now`, and frees what waits for that; when the next entry expires. Those who look for
    /// entries and those who store some go on meanwhile.
    pub(crate) fn sweep(&self, now: Tick) -> Tick {
        for shard in &self.shards {
            if shard.earliest.load(Ordering::Relaxed) <= now.nanos() {
                // What is stored from here on says so itself.
                shard.earliest.swap(Tick::NEVER.nanos(), Ordering::SeqCst);
                if shard.sweep(now) {
                    self.has_dropped.store(true, Ordering::Relaxed);
                }
            }
        }
        self.free_now();
        let earliest = self.shards.iter().map(|shard| shard.earliest.load(Ordering::SeqCst)).min();
        Tick::from_nanos(earliest.unwrap_or(Tick::NEVER.nanos()))
    }

    /// Frees what was removed and nobody reads any more, if that is worth it by now. For outside of all locks, since
    /// it runs the code of the owners of keys and values, and without a pin, or nothing is freed.
    pub(crate) fn free_sometimes(&self, hash: u64) {
        let shard = self.shard(hash);
        let state = shard.state.lock();
        if shard.is_due(&state) {
            shard.free_waiting(state, self.types);
        }
    }

    /// Frees all that was removed and nobody reads any more.
    pub(crate) fn free_now(&self) {
        for shard in &self.shards {
            let state = shard.state.lock();
            if !state.waiting.is_empty() {
                shard.free_waiting(state, self.types);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len.load(Ordering::Relaxed)).sum()
    }

    /// How many entries the tables have room for, as they are now.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.shards.iter().map(|shard| shard.table(&epoch::pin()).room()).sum()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.shards.iter().map(|shard| shard.weight.load(Ordering::Relaxed)).sum()
    }

    /// Whether every entry that was ever stored is still there, or a newer one of its key.
    pub(crate) fn dropped_nothing(&self) -> bool {
        !self.has_dropped.load(Ordering::Relaxed)
    }
}

impl Shard {
    fn new(max: u64, bound: Bound, by_cost: bool) -> Self {
        Shard {
            table: AtomicPtr::new(Box::into_raw(Box::new(Table::with_room(0)))),
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
    fn table<'a>(&self, _pin: &'a Pin) -> &'a Table {
        // SAFETY: it is never null, and a table that another replaces is freed only when nobody is pinned any more who
        // may have seen it.
        unsafe { &*self.table.load(Ordering::Acquire) }
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
        let old = self.table.swap(Box::into_raw(Box::new(new)), Ordering::AcqRel);
        state.waiting.extend(NonNull::new(old).map(Waiting::Table));
    }

    /// Drops what had expired by `now`; whether there was any.
    fn sweep(&self, now: Tick) -> bool {
        let pin = epoch::pin();
        let (mut expired, mut earliest) = (Vec::new(), Tick::NEVER);
        for node in self.table(&pin).nodes() {
            match node.deadline() {
                deadline if deadline <= now => expired.push(node),
                deadline => earliest = earliest.min(deadline),
            }
        }
        self.earliest.fetch_min(earliest.nanos(), Ordering::Relaxed);
        for some in expired.chunks(SWEPT_AT_ONCE) {
            let mut state = self.state.lock();
            for node in some {
                // It may have gone since it was seen.
                if self.table(&pin).find(node.head().hash, |other| other == *node).is_some() {
                    self.take_out(&pin, &mut state, *node);
                }
            }
        }
        if !expired.is_empty() {
            self.shrink(&pin, &mut self.state.lock());
        }
        !expired.is_empty()
    }

    fn is_due(&self, state: &State) -> bool {
        // As long as it is a sixteenth of what there is, nobody notices.
        let enough = (self.len.load(Ordering::Relaxed) / 16).clamp(1, MAX_WAITING);
        let has_table = matches!(state.waiting.last(), Some(Waiting::Table(_)));
        let waits = state.waiting.len();
        waits >= state.patience && (has_table || waits >= enough)
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

impl Drop for Engine {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            // SAFETY: nobody else has the engine, so nobody reads it; the table is never null.
            let table = unsafe { Box::from_raw(shard.table.load(Ordering::Acquire)) };
            // SAFETY: as above, and the nodes are of the engine's types.
            table.nodes().for_each(|node| drop(unsafe { Owned::taken(node, self.types) }));
            let waiting = std::mem::take(&mut shard.state.lock().waiting);
            // SAFETY: as above.
            waiting.into_iter().for_each(|waiting| unsafe { waiting.free(self.types) });
        }
    }
}
