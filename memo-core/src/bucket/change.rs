//! Changes of entries, which every copy in this process must hear of.

use super::memory::Memory;
use crate::key::Prefix;
use crate::shared::cache::Cache;
use foldhash::fast::RandomState;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock, Weak};

/// The buckets of one prefix of one cache in this process, clones or not: what one of them changes, the memory of each
/// forgets.
///
/// Invariant: while an entry is being changed nobody has a copy of it, and what was read before or during that becomes
/// none. So a copy is never older than what another read has seen, also before the change is over.
pub(super) struct Circle {
    id: Id,
    memories: RwLock<Vec<Weak<Memory>>>,
    hasher: RandomState,
    /// Of the entries that fall there by their key's hash. Their locks are held while a copy is kept; inside them runs no
    /// code of users.
    shards: [Mutex<Shard>; SHARDS],
}

const SHARDS: usize = 64;

#[derive(Default)]
struct Shard {
    /// How many changes and unloads have begun.
    begun: u64,
    /// How many changes are not over.
    under_way: usize,
}

/// Stands for the moment in which a read began.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

/// The address of the cache, which the circle's buckets keep alive, and the prefix. Two caches without content may have
/// one address; their buckets forget more than they must.
type Id = (usize, Prefix);

static CIRCLES: LazyLock<Mutex<HashMap<Id, Weak<Circle>, RandomState>>> = LazyLock::new(Mutex::default);

impl Circle {
    pub(super) fn of(cache: &Arc<dyn Cache>, prefix: &Prefix) -> Arc<Circle> {
        let id = (Arc::as_ptr(cache).addr(), prefix.clone());
        let mut circles = CIRCLES.lock();
        if let Some(circle) = circles.get(&id).and_then(Weak::upgrade) {
            return circle;
        }
        let circle = Arc::new(Circle {
            id: id.clone(),
            memories: RwLock::default(),
            hasher: RandomState::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
        });
        circles.insert(id, Arc::downgrade(&circle));
        circle
    }

    pub(super) fn join(&self, memory: &Arc<Memory>) {
        let mut memories = self.memories.write();
        memories.retain(|memory| memory.strong_count() > 0);
        memories.push(Arc::downgrade(memory));
    }

    /// Begins a change; it is over when what is returned is dropped, however it ended. Copies are forgotten now and not
    /// kept until then: also one that fails, or whose task is dropped, may have been carried out.
    pub(super) fn change<'a>(&'a self, entries: Entries<'a>) -> Change<'a> {
        let begin = |shard: &Mutex<Shard>| {
            let mut shard = shard.lock();
            shard.begun += 1;
            shard.under_way += 1;
        };
        // First this: a read under way keeps its copy before, and it is forgotten, or finds that it must not.
        self.each_shard(entries, begin);
        for memory in self.memories.read().iter().filter_map(Weak::upgrade) {
            match entries {
                Entries::All => memory.forget_all(),
                some => some.each_key(|key| _ = memory.forget(key)),
            }
        }
        Change { circle: self, entries }
    }

    /// Reads of these entries that are under way leave no copy.
    pub(super) fn stop_copying(&self, entries: Entries<'_>) {
        self.each_shard(entries, |shard| shard.lock().begun += 1);
    }

    /// To be asked before the cache is read; `None` while a change is under way, when no copy may be kept.
    pub(super) fn before(&self, key: &str) -> Option<Before> {
        let shard = self.shard(key).lock();
        (shard.under_way == 0).then_some(Before(shard.begun))
    }

    /// Runs this, which keeps a copy of what was read, unless something was changed since.
    pub(super) fn unless_changed(&self, key: &str, before: Before, keep: impl FnOnce()) {
        let shard = self.shard(key).lock();
        if shard.begun == before.0 {
            keep();
        }
    }

    fn each_shard(&self, entries: Entries<'_>, mut visit: impl FnMut(&Mutex<Shard>)) {
        match entries {
            Entries::All => self.shards.iter().for_each(visit),
            some => some.each_key(|key| visit(self.shard(key))),
        }
    }

    fn shard(&self, key: &str) -> &Mutex<Shard> {
        // The remainder is below 64.
        #[expect(clippy::cast_possible_truncation, reason = "it is below the number of shards")]
        let position = (self.hasher.hash_one(key) % SHARDS as u64) as usize;
        &self.shards[position]
    }
}

impl Drop for Circle {
    fn drop(&mut self) {
        let mut circles = CIRCLES.lock();
        // Another may have begun under this id since nobody holds this one.
        if circles.get(&self.id).is_some_and(|circle| circle.strong_count() == 0) {
            circles.remove(&self.id);
        }
    }
}

/// What a change is about.
#[derive(Clone, Copy)]
pub(super) enum Entries<'a> {
    One(&'a str),
    Named(&'a [&'a str]),
    Pairs(&'a [(&'a str, &'a [u8])]),
    All,
}

impl Entries<'_> {
    fn each_key(self, mut visit: impl FnMut(&str)) {
        match self {
            Entries::One(key) => visit(key),
            Entries::Named(keys) => keys.iter().for_each(|key| visit(key)),
            Entries::Pairs(pairs) => pairs.iter().for_each(|(key, _)| visit(key)),
            Entries::All => {}
        }
    }
}

/// A change that is under way.
#[must_use = "the change is over when it is dropped"]
pub(super) struct Change<'a> {
    circle: &'a Circle,
    entries: Entries<'a>,
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.circle.each_shard(self.entries, |shard| shard.lock().under_way -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capabilities;
    use crate::{Bucket, Error};
    use std::time::Duration;

    struct Nothing([u8; 1]);

    impl Cache for Nothing {
        fn capabilities(&self) -> Capabilities {
            Capabilities::new("nothing")
        }

        fn get(&self, _: &str) -> Result<Option<Vec<u8>>, Error> {
            Ok((self.0 == [1]).then(Vec::new))
        }

        fn set(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<(), Error> {
            Ok(())
        }

        fn add(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<bool, Error> {
            Ok(true)
        }

        fn remove(&self, _: &str) -> Result<bool, Error> {
            Ok(false)
        }
    }

    fn known(cache: &Arc<dyn Cache>) -> usize {
        let address = Arc::as_ptr(cache).addr();
        CIRCLES.lock().keys().filter(|(cache, _)| *cache == address).count()
    }

    #[test]
    fn a_circle_is_known_as_long_as_a_bucket_is_in_it() -> Result<(), Error> {
        let cache: Arc<dyn Cache> = Arc::new(Nothing([0]));
        let other: Arc<dyn Cache> = Arc::new(Nothing([0]));
        let first: Bucket<u8> = Bucket::new(Arc::clone(&cache), "a");
        let second: Bucket<String> = Bucket::new(Arc::clone(&cache), "a").in_memory(10, Duration::from_secs(1))?;
        let third: Bucket<u8> = Bucket::new(Arc::clone(&cache), "b");
        let fourth: Bucket<u8> = Bucket::new(Arc::clone(&other), "a");
        assert_eq!((known(&cache), known(&other)), (2, 1));
        drop((first, third));
        assert_eq!(known(&cache), 1);
        let fifth = second.clone();
        drop(second);
        assert_eq!(known(&cache), 1);
        drop((fifth, fourth));
        assert_eq!((known(&cache), known(&other)), (0, 0));
        Ok(())
    }

    #[test]
    fn a_memory_that_is_gone_is_not_told() -> Result<(), Error> {
        let cache: Arc<dyn Cache> = Arc::new(Nothing([0]));
        let bucket: Bucket<u8> = Bucket::new(Arc::clone(&cache), "a");
        for _ in 0..5 {
            bucket.clone().in_memory(10, Duration::from_secs(1))?.set(&1, &1)?;
        }
        let circle = Circle::of(&cache, &Prefix::new("a", 0));
        assert_eq!(circle.memories.read().len(), 1, "those that went are left out when the next one joins");
        Ok(())
    }
}
