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
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Tick = Tick::at(Duration::from_secs(100));

    fn at(seconds: u64) -> Tick {
        Tick::at(Duration::from_secs(100 + seconds))
    }

    fn names(due: Option<&Due>) -> Vec<&str> {
        match due {
            None => Vec::new(),
            Some(Due::Keys(keys)) => keys.iter().map(|(_, key)| &**key).collect(),
            Some(Due::Function(_, name) | Due::Tag(_, name)) => vec![name],
        }
    }

    #[test]
    fn what_is_owed_comes_oldest_first_and_once() {
        let owed = Owed::default();
        for key in ["a:1", "a:2", "a:1"] {
            assert!(owed.add_key("a:", key, Tick::NEVER));
        }
        owed.add_function("b:", Tick::NEVER);
        owed.add_key("a:", "a:3", Tick::NEVER);
        assert_eq!(owed.count(), 4);
        assert!(owed.has("a:", "a:1") && owed.has("b:", "b:7") && !owed.has("a:", "a:4"));
        for expected in [vec!["a:2", "a:1"], vec!["b:"], vec!["a:3"], vec![]] {
            let due = owed.due(NOW, usize::MAX);
            assert_eq!(names(due.as_ref()), expected);
            assert_eq!(due.map_or(0, |due| owed.take(&due)), expected.len());
        }
        assert_eq!((owed.count(), owed.applied(), owed.dropped()), (0, 4, 0));
        assert!(!owed.has("b:", "b:7"));
    }

    #[test]
    fn tags_are_owed_like_functions() {
        let owed = Owed::default();
        owed.add_key("a:", "a:1", Tick::NEVER);
        owed.add_tag("t:x");
        owed.add_tag("t:x");
        assert!(owed.has_tag("t:x") && !owed.has_tag("t:y"));
        owed.settle_key("a:1", owed.now());
        let due = owed.due(NOW, usize::MAX).expect("the tag is owed");
        assert!(matches!(&due, Due::Tag(_, name) if &**name == "t:x"));
        assert_eq!((owed.take(&due), owed.count()), (1, 0));
    }

    #[test]
    fn what_is_owed_anew_while_it_is_applied_stays_owed() {
        let owed = Owed::default();
        owed.add_key("a:", "a:1", Tick::NEVER);
        let due = owed.due(NOW, 1).expect("one is owed");
        owed.add_key("a:", "a:1", Tick::NEVER);
        assert_eq!(owed.take(&due), 0);
        assert!(owed.has("a:", "a:1"));
        owed.put_off(&due);
        assert_eq!(owed.count(), 1);
    }

    #[test]
    fn whoever_applies_one_settles_what_is_older() {
        let owed = Owed::default();
        assert_eq!(owed.now(), None);
        owed.settle_key("a:1", None);
        for key in ["a:1", "a:2", "b:1"] {
            owed.add_key(&key[..2], key, Tick::NEVER);
        }
        let before = owed.now();
        owed.add_key("a:", "a:3", Tick::NEVER);
        owed.settle_key("a:3", before);
        owed.settle_key("a:1", before);
        assert!(!owed.has("a:", "a:1") && owed.has("a:", "a:3"));
        owed.settle_function("a:", before);
        assert_eq!(names(owed.due(NOW, usize::MAX).as_ref()), ["b:1", "a:3"]);
        owed.add_function("a:", Tick::NEVER);
        assert_eq!(owed.count(), 2, "a function stands for its keys");
        owed.settle_function("a:", owed.now());
        assert_eq!(owed.count(), 1);
    }

    #[test]
    fn what_has_expired_is_dropped() {
        let owed = Owed::default();
        for (key, until) in [("a:1", at(5)), ("a:2", at(7)), ("a:3", Tick::NEVER)] {
            owed.add_key("a:", key, until);
        }
        owed.add_function("b:", at(6));
        assert_eq!(names(owed.due(at(6), usize::MAX).as_ref()), ["a:2", "a:3"]);
        assert_eq!((owed.count(), owed.dropped(), owed.applied()), (2, 2, 0));
        owed.drop_all();
        assert_eq!((owed.count(), owed.dropped()), (0, 4));
    }

    #[test]
    fn one_that_is_refused_lets_others_go_first() {
        let owed = Owed::default();
        for key in ["a:1", "a:2"] {
            owed.add_key("a:", key, Tick::NEVER);
        }
        owed.put_off(&owed.due(NOW, 1).expect("two are owed"));
        assert_eq!(names(owed.due(NOW, 1).as_ref()), ["a:2"]);
        assert!(owed.has("a:", "a:1"));
    }

    #[test]
    fn beyond_the_bound_keys_become_one_with_their_function() {
        let owed = Owed::default();
        for n in 0..MOST {
            let prefix = if n % 3 == 0 { "a:" } else { "b:" };
            assert!(owed.add_key(prefix, &format!("{prefix}{n}"), at(n as u64)));
        }
        assert!(owed.add_key("a:", "a:0", at(1)), "it has its place already");
        assert_eq!(owed.count(), MOST);
        assert!(owed.add_key("b:", "b:x", at(20_000)));
        assert_eq!(owed.count(), MOST.div_ceil(3) + 1);
        assert!(owed.has("b:", "b:y") && owed.has("a:", "a:3") && !owed.has("a:", "a:y"));
        assert_eq!(names(owed.due(at(19_000), 1).as_ref()), ["b:"], "for as long as the last of its keys");
        // Of functions with a key each, none stands for others.
        let owed = Owed::default();
        for n in 0..MOST {
            owed.add_key(&format!("{n}:"), &format!("{n}:1"), Tick::NEVER);
        }
        assert!(!owed.add_key("x:", "x:1", Tick::NEVER) && !owed.add_tag("t:x"));
        assert_eq!(owed.count(), MOST);
    }
}
