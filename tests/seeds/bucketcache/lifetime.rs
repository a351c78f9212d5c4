//! A lifetime that is changed, `prune_directory`, `unload_key` and the layer of memory.

use super::bucket;
use crate::SECOND;
use memokit::testing::MockClock;
use memokit::{Bucket, Cache, FileCache, Pruned};
use std::sync::Arc;

/// There by a new bucket or by its attribute, when the entry is next looked at; a warning is logged.
#[test]
fn a_shorter_lifetime_holds_for_what_is_there() {
    let clock = MockClock::install();
    let bucket = bucket("shorter").timeout(100 * SECOND).unwrap();
    bucket.set("old", &1).unwrap();
    clock.advance(30 * SECOND);
    bucket.set("young", &2).unwrap();
    bucket.set_timeout(20 * SECOND).unwrap();
    assert_eq!(bucket.get_many(["old", "young"]).unwrap(), [None, Some(2)]);
    clock.advance(20 * SECOND);
    assert_eq!(bucket.get("young").unwrap(), None);
}

#[test]
fn a_lifetime_holds_for_what_had_none() {
    let clock = MockClock::install();
    let bucket = bucket("had none");
    bucket.set("k", &1).unwrap();
    clock.advance(30 * SECOND);
    bucket.set_timeout(31 * SECOND).unwrap();
    assert_eq!(bucket.get("k").unwrap(), Some(1));
    clock.advance(SECOND);
    assert_eq!(bucket.get("k").unwrap(), None);
}

#[test]
fn a_longer_lifetime_makes_nothing_young() {
    let clock = MockClock::install();
    let bucket = bucket("longer").timeout(10 * SECOND).unwrap();
    bucket.set("k", &1).unwrap();
    bucket.set_timeout(1000 * SECOND).unwrap();
    clock.advance(10 * SECOND);
    assert_eq!(bucket.get("k").unwrap(), None);
}

/// `bucket.lifetime`, which can be read and set; wrong ones are refused, and nothing is changed.
#[test]
fn the_lifetime_can_be_read_and_is_checked() {
    let bucket: Bucket<u32> = bucket("read").timeout(10 * SECOND).unwrap();
    assert!(bucket.set_timeout(std::time::Duration::ZERO).is_err());
    assert_eq!(bucket.current_timeout(), Some(10 * SECOND));
    bucket.set_timeout(None).unwrap();
    assert_eq!(bucket.current_timeout(), None);
}

/// There, size and number of the deleted files; those that can't be read stay. Here they go too, and are counted among them.
#[test]
fn prune_deletes_what_is_outdated_and_counts_it() {
    let clock = MockClock::install();
    let cache: Arc<dyn Cache> = Arc::new(FileCache::open(crate::support::folder("bucketcache-prune")).unwrap());
    let bucket: Bucket<String> = Bucket::new(Arc::clone(&cache), "bucket");
    for n in 0..3_u32 {
        bucket.set(&n, &"old".to_owned()).unwrap();
    }
    clock.advance(10 * SECOND);
    bucket.set(&3_u32, &"young".to_owned()).unwrap();
    assert_eq!(bucket.prune().unwrap(), Pruned::default(), "nothing is outdated");

    let key = bucket.keys().unwrap().pop().unwrap();
    let sound = cache.get(&key).unwrap().unwrap();
    cache.set(&key, b"no entry", None).unwrap();
    let pruned = bucket.prune().unwrap();
    assert_eq!((pruned.entries, pruned.corrupt), (1, 1), "{pruned:?}");
    cache.set(&key, &sound, None).unwrap();

    bucket.set_timeout(5 * SECOND).unwrap();
    let pruned = bucket.prune().unwrap();
    assert_eq!((pruned.entries, pruned.corrupt), (3, 0), "{pruned:?}");
    assert!(pruned.bytes > 3 * 3);
    assert_eq!((bucket.keys().unwrap().len(), bucket.get(&3_u32).unwrap().as_deref()), (1, Some("young")));
}

/// There, all that was ever read or written stays in a dictionary in front of the files, without a bound, and what another
/// process writes is never seen. Here such copies have a bound and a time.
#[test]
fn copies_in_memory_are_bounded_and_trusted_for_a_time() {
    let clock = MockClock::install();
    let cache: Arc<dyn Cache> = Arc::new(FileCache::open(crate::support::folder("bucketcache-memory")).unwrap());
    let bucket: Bucket<u32> = Bucket::new(Arc::clone(&cache), "bucket").in_memory(10, 60 * SECOND).unwrap();
    bucket.set("k", &1).unwrap();
    assert_eq!(bucket.get("k").unwrap(), Some(1));
    let [key] = bucket.keys().unwrap().try_into().unwrap();
    assert!(cache.remove(&key).unwrap(), "as another process does it");
    assert_eq!(bucket.get("k").unwrap(), Some(1), "from memory");
    clock.advance(60 * SECOND);
    assert_eq!(bucket.get("k").unwrap(), None);
}

#[test]
fn unload_drops_the_copy_and_keeps_the_entry() {
    let _clock = MockClock::install();
    let cache: Arc<dyn Cache> = Arc::new(FileCache::open(crate::support::folder("bucketcache-unload")).unwrap());
    let bucket: Bucket<u32> = Bucket::new(Arc::clone(&cache), "bucket").in_memory(10, 3600 * SECOND).unwrap();
    bucket.set("k", &1).unwrap();
    bucket.get("k").unwrap();
    assert!(bucket.unload("k").unwrap());
    assert!(!bucket.unload("k").unwrap(), "there was none any more");
    assert_eq!(bucket.get("k").unwrap(), Some(1), "from the file");
    let [key] = bucket.keys().unwrap().try_into().unwrap();
    cache.remove(&key).unwrap();
    bucket.unload_all();
    assert_eq!(bucket.get("k").unwrap(), None);
}
