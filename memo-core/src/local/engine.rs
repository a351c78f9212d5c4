//! The entries of one memo, without their types, and its loads under way, in shards.
#![allow(unsafe_code)]

use super::State;
use super::locked::Locked;
use super::node::{Node, in_shard};
use super::owned::{Owned, Types};
use super::policy::Bound;
use super::seen::{Seen, Went};
use super::shard::Shard;
use super::slots;
use super::sweep::Sweep;
use super::table::Further;
use crate::clock::{self, Tick};
use crate::epoch::{Pin, Pinned};
use crate::invalidations::Name;
use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Entries for which there is one more shard, since a policy that knows few of them decides badly.
const ENTRIES_PER_SHARD: usize = 4096;
/// So many threads seldom wait for each other.
pub(crate) const MAX_SHARDS: usize = 16;
/// Stores between two sweeps, at the least. A sweep visits every entry, so it comes after as many stores as the one
/// before left entries, and costs each store a constant.
pub(super) const SWEEP_AFTER: usize = 1024;

/// A key whose type the engine's owner knows.
type AnyKey = dyn Any + Send + Sync;

pub(crate) struct Engine {
    /// A power of two.
    shards: Box<[Shard]>,
    /// Their number less one.
    mask: usize,
    types: &'static Types,
    /// What its marked entries go with beside their keys: those of the first one. Others are extended.
    others: OnceLock<[Name; 2]>,
    /// Entries that can expire and were stored since expired ones were last swept out.
    since_sweep: AtomicUsize,
    /// Whether an entry has ever left, other than for another one of its key.
    has_dropped: AtomicBool,
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
            mask: shards - 1,
            types,
            others: OnceLock::new(),
            since_sweep: AtomicUsize::new(0),
            has_dropped: AtomicBool::new(false),
        }
    }

    #[inline(always)]
    fn shard(&self, hash: u64) -> &Shard {
        // SAFETY: there is one at least, their number is a power of two, and what is masked by less is below it.
        unsafe { self.shards.get_unchecked(self.shard_of(hash)) }
    }

    /// Which of the shards a hash belongs to, by other bits than those that say its place there.
    #[inline(always)]
    pub(crate) fn shard_of(&self, hash: u64) -> usize {
        (hash >> 32) as usize & self.mask
    }

    /// The node of this hash to which `is` says yes.
    #[inline(always)]
    pub(super) fn find<'a>(&self, pin: &'a Pin, hash: u64, is: impl FnMut(Node) -> bool) -> Option<Seen<'a>> {
        let table = self.shard(hash).table(pin);
        table.find(in_shard(hash), is).map(|node| Seen::new(node, pin))
    }

    /// What marked entries go with beside their keys.
    pub(super) fn others(&self) -> &OnceLock<[Name; 2]> {
        &self.others
    }

    /// Whether nothing an entry goes with was invalidated since its load began.
    #[inline(always)]
    pub(crate) fn is_valid(&self, seen: Seen<'_>) -> bool {
        seen.node().is_valid(&self.others)
    }

    /// Whether an entry may be served.
    #[inline(always)]
    pub(crate) fn is_fresh(&self, seen: Seen<'_>) -> bool {
        self.is_valid(seen) && !seen.is_expired()
    }

    /// A load of this hash will begin: has the processor fetch what that looks at.
    pub(crate) fn prefetch(&self, hash: u64) {
        self.shard(hash).prefetch();
    }

    /// A load of this hash begins, and may store: as above. `shard` is that of the hash.
    pub(crate) fn prefetch_in(shard: &Locked<'_>, pin: &Pin, hash: u64) {
        shard.prefetch(pin, in_shard(hash));
    }

    /// As [`find`](Engine::find), where one look tells.
    #[inline(always)]
    pub(super) fn find_at_once<'a>(
        &self,
        pin: &'a impl Pinned,
        hash: u64,
        is: impl FnMut(Node) -> bool,
    ) -> Result<Option<Seen<'a>>, Further> {
        let found = self.shard(hash).table(pin).find_at_once(in_shard(hash), is)?;
        Ok(found.map(|node| Seen::new(node, pin)))
    }

    /// What an entry is of which a first look does not tell that it is fresh; marks it as used if it is.
    #[inline(never)]
    pub(super) fn look_closer(&self, seen: Seen<'_>) -> State {
        if !self.is_valid(seen) {
            return State::Void;
        }
        if seen.is_expired() {
            return State::Expired;
        }
        seen.serve();
        State::Fresh
    }

    /// The shard of this hash, locked.
    pub(crate) fn lock(&self, hash: u64) -> Locked<'_> {
        Locked::new(self.shard(hash))
    }

    #[cfg(test)]
    pub(super) fn insert<'a>(&self, pin: &'a Pin, hash: u64, node: Owned) -> Went<'a> {
        self.insert_in(&mut self.lock(hash), pin, hash, node)
    }

    /// Locks one shard after the other.
    pub(crate) fn lock_each(&self) -> impl Iterator<Item = Locked<'_>> {
        self.shards.iter().map(Locked::new)
    }

    /// Stores a node in the place of the one with its key, and evicts what there is no room for. `shard` is that of the
    /// hash.
    pub(crate) fn insert_in<'a>(&self, shard: &mut Locked<'_>, pin: &'a Pin, hash: u64, node: Owned) -> Went<'a> {
        if node.node().deadline() != Tick::NEVER {
            self.since_sweep.fetch_add(1, Ordering::Relaxed);
        }
        let new = node.node();
        // SAFETY: both are of the engine's types.
        let is = |other| unsafe { (self.types.have_one_key)(other, new) };
        let went = shard.store(pin, in_shard(hash), node, &is);
        if (went.evicted() > 0 || went.is_too_heavy()) && self.dropped_nothing() {
            self.has_dropped_some();
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
        self.remove_in(&mut self.lock(hash), pin, hash, key, is)
    }

    /// As [`remove`](Engine::remove), from the shard of the hash.
    pub(crate) fn remove_in<'a>(
        &self,
        shard: &mut Locked<'_>,
        pin: &'a Pin,
        hash: u64,
        key: &AnyKey,
        is: &dyn Fn(Seen<'a>) -> bool,
    ) -> Option<Seen<'a>> {
        // SAFETY: it is of the engine's types.
        let has_key = |node| unsafe { (self.types.has_key)(node, key) };
        let removed = shard.remove(pin, in_shard(hash), &has_key, is)?;
        self.has_dropped_some();
        Some(removed)
    }

    /// The node with this key, for as long as the pin lives.
    pub(crate) fn find_key<'a>(&self, pin: &'a Pin, hash: u64, key: &AnyKey) -> Option<Seen<'a>> {
        // SAFETY: it is of the engine's types.
        self.find(pin, hash, |node| unsafe { (self.types.has_key)(node, key) })
    }

    /// Takes out every node to which `is` says yes, and tells of each, outside of the locks.
    fn remove_all<'a>(&self, pin: &'a Pin, is: &dyn Fn(Node) -> bool, gone: &mut dyn FnMut(Seen<'a>)) {
        for mut shard in self.lock_each() {
            let taken = shard.remove_all(pin, is);
            drop(shard);
            if !taken.is_empty() {
                self.has_dropped_some();
            }
            taken.into_iter().for_each(&mut *gone);
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

    /// Looks for what had expired by `now`, to take it out.
    pub(crate) fn sweep(&self, now: Tick) -> Sweep<'_> {
        Sweep::new(self, &self.shards, now)
    }

    pub(super) fn has_dropped_some(&self) {
        self.has_dropped.store(true, Ordering::Relaxed);
    }

    /// When the next entry expires.
    pub(crate) fn earliest(&self) -> Tick {
        self.shards.iter().map(Shard::earliest).min().unwrap_or(Tick::NEVER)
    }

    /// Frees what was removed and nobody reads any more, if that is worth it by now. For outside of all locks, since
    /// it runs the code of the owners of keys and values, and without a pin, or nothing is freed.
    pub(crate) fn free_sometimes(&self, hash: u64) {
        self.free_sometimes_of(self.shard(hash));
    }

    pub(super) fn free_sometimes_of(&self, shard: &Shard) {
        shard.free(self.types, false);
    }

    /// Frees all that was removed and nobody reads any more.
    pub(crate) fn free_now(&self) {
        self.shards.iter().for_each(|shard| shard.free(self.types, true));
        slots::give_back();
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// How many entries the tables have room for, as they are now.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn room(&self) -> usize {
        self.shards.iter().map(|shard| shard.table(&crate::epoch::pin()).room()).sum()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.shards.iter().map(Shard::weight).sum()
    }

    /// Whether every entry that was ever stored is still there, or a newer one of its key.
    pub(crate) fn dropped_nothing(&self) -> bool {
        !self.has_dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            // SAFETY: nobody else has the engine, so nobody reads it, and its nodes are of its types.
            unsafe { shard.free_all(self.types) };
        }
    }
}
