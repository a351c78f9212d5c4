//! Invalidations that a cache has not taken yet.
//!
//! While one is owed, this process takes what the cache has under that name for gone, and `recovery.rs` tries until the
//! cache has taken it. Each name is owed once, by the last invalidation of it. An invalidation has a number, so that
//! one that comes while an older one of its name is being applied is not taken for applied with it.

use crate::clock::Tick;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many may be owed. Beyond that, the keys of the function that has most are owed as the whole function,
/// and tags are not.
pub(crate) const MOST: usize = 10_000;

/// How many keys are applied by one operation.
const BATCH: usize = 256;

#[derive(Default)]
pub(crate) struct Owed {
    /// How many there are: what an operation reads where nothing is owed, and all that it does.
    count: AtomicUsize,
    queue: Mutex<Queue>,
    applied: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Queue {
    next: u64,
    by_number: BTreeMap<u64, Item>,
    /// The text of a key never is that of a prefix, which it begins with.
    numbers: HashMap<Arc<str>, u64, RandomState>,
}

struct Item {
    name: Arc<str>,
    what: What,
    /// When whatever the cache may have under this name has expired.
    until: Tick,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// The name is a key, and starts with so many bytes of prefix.
    Key { prefix: usize },
    /// The name is a prefix: every entry of a function.
    Function,
    /// The name is that of a tag.
    Tag,
}

impl Item {
    fn prefix(&self) -> &str {
        match self.what {
            What::Key { prefix } => &self.name[..prefix],
            What::Function | What::Tag => &self.name,
        }
    }
}

/// The oldest invalidations, to be applied together.
pub(crate) enum Due {
    Keys(Vec<(u64, Arc<str>)>),
    Function(u64, Arc<str>),
    Tag(u64, Arc<str>),
}

impl Owed {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How many were applied late.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// How many were given up, since what they were about had expired, the cache was gone, or will never take them.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether what the cache has under this key is to be taken for gone.
    #[inline]
    pub(crate) fn has(&self, prefix: &str, key: &str) -> bool {
        // Relaxed: whoever knows that the invalidation returned sees the count that was written before.
        self.count() > 0 && {
            let queue = self.queue.lock();
            queue.numbers.contains_key(key) || queue.numbers.contains_key(prefix)
        }
    }

    /// Whether entries of this tag are to be taken for gone.
    pub(crate) fn has_tag(&self, name: &str) -> bool {
        self.queue.lock().numbers.contains_key(name)
    }

    /// The number that the next invalidation will have. Whoever applies one now settles what is owed up to here.
    pub(crate) fn now(&self) -> Option<u64> {
        (self.count() > 0).then(|| self.queue.lock().next)
    }

    /// A key is owed. `false`: it is not, for want of room.
    pub(crate) fn add_key(&self, prefix: &str, key: &str, until: Tick) -> bool {
        let mut queue = self.queue.lock();
        if queue.by_number.len() >= MOST && !queue.numbers.contains_key(key) {
            match queue.merge_the_largest() {
                None => return false,
                Some(merged) if &*merged == prefix => queue.prolong(prefix, until),
                Some(_) => queue.add(key, What::Key { prefix: prefix.len() }, until),
            }
        } else {
            queue.add(key, What::Key { prefix: prefix.len() }, until);
        }
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
        true
    }

    /// Every entry of a function is owed.
    pub(crate) fn add_function(&self, prefix: &str, until: Tick) {
        let mut queue = self.queue.lock();
        queue.remove_all(|item| item.prefix() == prefix);
        queue.add(prefix, What::Function, until);
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
    }

    /// Every entry of a tag is owed. `false`: it is not, for want of room.
    pub(crate) fn add_tag(&self, name: &str) -> bool {
        let mut queue = self.queue.lock();
        if queue.by_number.len() >= MOST && !queue.numbers.contains_key(name) {
            return false;
        }
        queue.add(name, What::Tag, Tick::NEVER);
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
        true
    }

    /// The oldest that are still of use; the others are dropped. How many keys at the most.
    pub(crate) fn due(&self, now: Tick, keys: usize) -> Option<Due> {
        let mut queue = self.queue.lock();
        self.drop_of(&mut queue, |item| item.until <= now);
        let (number, first) = queue.by_number.first_key_value()?;
        match first.what {
            What::Function => return Some(Due::Function(*number, Arc::clone(&first.name))),
            What::Tag => return Some(Due::Tag(*number, Arc::clone(&first.name))),
            What::Key { .. } => {}
        }
        let is_key = |(_, item): &(&u64, &Item)| matches!(item.what, What::Key { .. });
        let keys = queue.by_number.iter().take_while(is_key).take(keys.min(BATCH));
        Some(Due::Keys(keys.map(|(number, item)| (*number, Arc::clone(&item.name))).collect()))
    }

    /// The cache has taken these. How many it was owed; those that were owed anew meanwhile are so still.
    pub(crate) fn take(&self, due: &Due) -> usize {
        let mut queue = self.queue.lock();
        let mut taken = 0;
        due.each(|number| taken += usize::from(queue.remove(number)));
        self.applied.fetch_add(taken as u64, Ordering::Relaxed);
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
        taken
    }

    /// The cache has not taken these, but answers: others come first now.
    pub(crate) fn put_off(&self, due: &Due) {
        let mut queue = self.queue.lock();
        due.each(|number| {
            if let Some(item) = queue.by_number.remove(&number) {
                queue.insert(item);
            }
        });
    }

    /// The cache will never take these.
    pub(crate) fn give_up(&self, due: &Due) {
        let mut queue = self.queue.lock();
        due.each(|number| {
            if queue.remove(number) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        });
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
    }

    /// The key was invalidated in the cache by someone who began when the next number was this.
    pub(crate) fn settle_key(&self, key: &str, before: Option<u64>) {
        let Some(before) = before else { return };
        let mut queue = self.queue.lock();
        if let Some(number) = queue.numbers.get(key).copied().filter(|number| *number < before) {
            queue.remove(number);
            self.count.store(queue.by_number.len(), Ordering::Relaxed);
        }
    }

    /// All of a prefix was invalidated in the cache by someone who began when the next number was this.
    pub(crate) fn settle_function(&self, prefix: &str, before: Option<u64>) {
        let Some(before) = before else { return };
        let mut queue = self.queue.lock();
        let older = queue.by_number.range(..before).filter(|(_, item)| item.prefix() == prefix);
        let older: Vec<u64> = older.map(|(number, _)| *number).collect();
        for number in older {
            queue.remove(number);
        }
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
    }

    /// The cache is gone: it is owed nothing any more.
    pub(crate) fn drop_all(&self) {
        self.drop_of(&mut self.queue.lock(), |_| true);
    }

    fn drop_of(&self, queue: &mut Queue, is: impl Fn(&Item) -> bool) {
        let dropped = queue.remove_all(is);
        self.dropped.fetch_add(dropped as u64, Ordering::Relaxed);
        self.count.store(queue.by_number.len(), Ordering::Relaxed);
    }
}

impl Due {
    pub(crate) fn is_several(&self) -> bool {
        matches!(self, Due::Keys(keys) if keys.len() > 1)
    }

    fn each(&self, mut tell: impl FnMut(u64)) {
        match self {
            Due::Keys(keys) => keys.iter().for_each(|(number, _)| tell(*number)),
            Due::Function(number, _) | Due::Tag(number, _) => tell(*number),
        }
    }
}

impl Queue {
    fn add(&mut self, name: &str, what: What, until: Tick) {
        let name = match self.numbers.get_key_value(name) {
            Some((name, number)) => {
                self.by_number.remove(number);
                Arc::clone(name)
            }
            None => Arc::from(name),
        };
        self.insert(Item { name, what, until });
    }

    fn insert(&mut self, item: Item) {
        self.numbers.insert(Arc::clone(&item.name), self.next);
        self.by_number.insert(self.next, item);
        self.next += 1;
    }

    fn remove(&mut self, number: u64) -> bool {
        let Some(item) = self.by_number.remove(&number) else { return false };
        self.numbers.remove(&*item.name);
        true
    }

    fn remove_all(&mut self, is: impl Fn(&Item) -> bool) -> usize {
        let numbers: Vec<u64> = self.by_number.iter().filter(|(_, item)| is(item)).map(|(number, _)| *number).collect();
        for number in &numbers {
            self.remove(*number);
        }
        numbers.len()
    }

    /// Makes the keys of the function that has most of them one invalidation of the function, which is returned;
    /// none if no function has two.
    fn merge_the_largest(&mut self) -> Option<Arc<str>> {
        let mut keys: HashMap<&str, usize, RandomState> = HashMap::default();
        for item in self.by_number.values().filter(|item| matches!(item.what, What::Key { .. })) {
            *keys.entry(item.prefix()).or_default() += 1;
        }
        let (prefix, _) = keys.into_iter().max_by_key(|(_, keys)| *keys).filter(|(_, keys)| *keys > 1)?;
        let prefix: Arc<str> = Arc::from(prefix);
        let of_it = self.by_number.values().filter(|item| item.prefix() == &*prefix);
        let until = of_it.map(|item| item.until).max().unwrap_or(Tick::NEVER);
        self.remove_all(|item| item.prefix() == &*prefix);
        self.add(&prefix, What::Function, until);
        Some(prefix)
    }

    /// What is owed under this name is owed at least as long.
    fn prolong(&mut self, name: &str, until: Tick) {
        if let Some(item) = self.numbers.get(name).and_then(|number| self.by_number.get_mut(number)) {
            item.until = item.until.max(until);
        }
    }
}

#[cfg(test)]
mod tests;
