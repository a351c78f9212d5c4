//! What one thread remembers of one function, and what reaches it from other threads.
//!
//! An invalidation in another thread can't touch what this one has. So each invalidation raises a number of the function,
//! and a memo that finds the number changed drops all it has: coarse, but never late. A load remembers the number too
//! and is not stored once it has changed.
//!
//! Code of users (`Hash`, `Eq`, `Clone` and `Drop` of keys and values) runs while the memo is looked at, and may call
//! the function. The level is taken out of its cell meanwhile, so that such a call finds none and runs the body.

use super::super::cell::{self, Instance};
use super::super::function::Function;
use crate::invalidations;
use crate::local::{Entry, ThreadLocal};
use equivalent::Equivalent;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What the threads that call one function know of each other.
pub(crate) struct Threads {
    /// Raised by every invalidation.
    generation: AtomicU64,
    entries: AtomicUsize,
}

impl Threads {
    pub(crate) const fn new() -> Self {
        Threads { generation: AtomicU64::new(0), entries: AtomicUsize::new(0) }
    }

    /// The entries of all threads.
    pub(crate) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Makes every memo drop what it has, and every load under way unfit to be stored; the generation before.
    pub(super) fn raise(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::AcqRel)
    }
}

/// The entries, counted.
struct Level<K: Clone + Eq + Hash, V: Clone> {
    entries: ThreadLocal<K, V>,
    counted: usize,
    threads: &'static Threads,
}

impl<K: Clone + Eq + Hash, V: Clone> Level<K, V> {
    fn count(&mut self) {
        let entries = self.entries.len();
        if entries > self.counted {
            self.threads.entries.fetch_add(entries - self.counted, Ordering::Relaxed);
        } else if entries < self.counted {
            self.threads.entries.fetch_sub(self.counted - entries, Ordering::Relaxed);
        }
        self.counted = entries;
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Drop for Level<K, V> {
    fn drop(&mut self) {
        self.threads.entries.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// What this thread remembers of one instantiation of a function.
pub(super) struct ThreadMemo<K: Clone + Eq + Hash, V: Clone> {
    function: &'static Function,
    /// `None` while it is in use, before its first use, and after code of users panicked in it.
    level: Cell<Option<Box<Level<K, V>>>>,
    in_use: Cell<bool>,
    /// The generation of what is in the level.
    seen: Cell<u64>,
    /// The number of the next load.
    next: Cell<u64>,
    /// Loads with lower numbers are not stored: something newer was.
    floor: Cell<u64>,
}

/// The memo is free again, also if code of users panicked.
struct InUse<'a>(&'a Cell<bool>);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<K: Clone + Eq + Hash, V: Clone> ThreadMemo<K, V> {
    fn new(function: &'static Function) -> Self {
        ThreadMemo {
            function,
            level: Cell::new(None),
            in_use: Cell::new(false),
            seen: Cell::new(function.threads.generation()),
            next: Cell::new(0),
            floor: Cell::new(0),
        }
    }

    /// Works with the entries, none of which is of an old generation. `None` if they are in use below us.
    fn with<R>(&self, work: impl FnOnce(&mut ThreadLocal<K, V>) -> R) -> Option<R> {
        if self.in_use.replace(true) {
            return None;
        }
        let _in_use = InUse(&self.in_use);
        let mut level = self.level.take().unwrap_or_else(|| {
            let entries = ThreadLocal::new(self.function.entries_bound());
            Box::new(Level { entries, counted: 0, threads: &self.function.threads })
        });
        let generation = self.function.threads.generation();
        if self.seen.replace(generation) != generation {
            level.entries.clear();
        }
        let result = work(&mut level.entries);
        level.count();
        self.level.set(Some(level));
        Some(result)
    }

    /// The entry, fresh or expired; marked as used.
    pub(super) fn get<Q: Hash + Equivalent<K>>(&self, key: &Q) -> Option<Entry<V>> {
        self.with(|entries| entries.get(key))?
    }

    /// The entry, fresh or expired, without any effect.
    pub(super) fn look<Q: Hash + Equivalent<K>>(&self, key: &Q) -> Option<Entry<V>> {
        self.with(|entries| entries.peek(key))?
    }

    /// The fresh entry, without any effect.
    pub(super) fn peek<Q: Hash + Equivalent<K>>(&self, key: &Q) -> Option<Entry<V>> {
        self.look(key).filter(Entry::is_fresh)
    }

    /// Drops the entry unless it is fresh.
    pub(super) fn remove_unfit<Q: Hash + Equivalent<K>>(&self, key: &Q) {
        let _in_use_below = self.with(|entries| entries.remove_unfit(key));
    }

    /// Begins a load.
    pub(super) fn begin(&self) -> Load {
        let number = self.next.get();
        self.next.set(number + 1);
        Load { number, generation: self.function.threads.generation(), stamp: invalidations::latest() }
    }

    /// Stores what a load brought, unless an invalidation or something newer came in between. Whether it did, and how
    /// many entries were evicted for it.
    pub(super) fn store(&self, load: Load, key: K, entry: Entry<V>) -> (bool, usize) {
        let stored = self.with(|entries| {
            // The level is of the generation that was seen, so an invalidation from here on drops this with the rest.
            let fit = self.seen.get() == load.generation && load.number >= self.floor.get();
            fit.then(|| entries.insert(key, entry))
        });
        // The values that went are dropped here, where the level is in its place.
        let evicted = stored.flatten().map(|pushed_out| pushed_out.evicted());
        (evicted.is_some(), evicted.unwrap_or(0))
    }

    /// Forbids the loads of this thread that are older than this one to be stored.
    pub(super) fn supersede(&self, load: Load) {
        self.floor.set(self.floor.get().max(load.number));
    }

    /// Drops one entry. Whether it was there, and fresh.
    pub(super) fn remove<Q: Hash + Equivalent<K>>(&self, key: &Q) -> bool {
        match self.with(|entries| entries.remove(key)) {
            Some(removed) => removed.is_some_and(|(_, entry)| entry.is_fresh()),
            None => {
                // It can't be got at, so all goes.
                self.function.threads.raise();
                false
            }
        }
    }

    /// Drops one entry here, and all that other threads have.
    pub(super) fn invalidate<Q: Hash + Equivalent<K>>(&self, key: &Q) -> bool {
        let was_fresh = self.remove(key);
        let before = self.function.threads.raise();
        if self.seen.get() == before && !self.in_use.get() {
            // Nothing else was invalidated meanwhile: what else is here stays.
            self.seen.set(before + 1);
        }
        was_fresh
    }
}

/// A load under way, as it was when it began.
#[derive(Clone, Copy)]
pub(super) struct Load {
    number: u64,
    generation: u64,
    /// The latest invalidation of all functions.
    pub(super) stamp: u64,
}

/// A function, what it was instantiated with, and the types of its entries.
type Id = (usize, cell::Id);

thread_local! {
    /// What this thread remembers. Ids have no code of users, so nothing else runs while it is borrowed.
    static MEMOS: RefCell<HashMap<Id, Rc<dyn Any>, foldhash::fast::RandomState>> = RefCell::default();
}

/// This thread's memo of an instantiation; `None` where the thread is being torn down.
pub(super) fn memo<T: ?Sized, K, V>(function: &'static Function, instance: Instance<T>) -> Option<Rc<ThreadMemo<K, V>>>
where
    K: Clone + Eq + Hash + 'static,
    V: Clone + 'static,
{
    let id = (std::ptr::from_ref(function).addr(), cell::id::<T, K, V>(instance));
    let find = |memos: &RefCell<HashMap<Id, Rc<dyn Any>, _>>| {
        let mut memos = memos.borrow_mut();
        Rc::clone(memos.entry(id).or_insert_with(|| Rc::new(ThreadMemo::<K, V>::new(function))))
    };
    MEMOS.try_with(find).ok()?.downcast().ok()
}
