//! A bucket's timeout that is shortened, and what `prune` removes, on every backend. Ages are of the mock clock; what a
//! backend expires by itself is its own tests' subject.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::codec::Json;
use memokit::testing::MockClock;
use memokit::{Bucket, Cache, ErrorKind, MemoryCache};
use std::sync::Arc;
use std::time::Duration;

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 12;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn cache(name: &str) -> Arc<dyn Cache> {
    support::register(NUMBER);
    memokit::cache(name).unwrap()
}

fn a_shorter_timeout_holds_for_what_is_there(name: &str) {
    let clock = MockClock::install();
    let bucket: Bucket<u32> = Bucket::new(cache(name), "shortened").timeout(HOUR).unwrap();
    let clone = bucket.clone();
    let other: Bucket<u32> = bucket.clone().timeout(HOUR).unwrap();
    bucket.set(&1, &10).unwrap();
    clock.advance(9 * SECOND);
    bucket.set(&2, &20).unwrap();
    clock.advance(SECOND);
    assert_eq!(bucket.get_many([1, 2]).unwrap(), [Some(10), Some(20)]);

    clone.set_timeout(10 * SECOND).unwrap();
    assert_eq!(bucket.current_timeout(), Some(10 * SECOND), "one bucket with its clones");
    assert_eq!((bucket.get(&1).unwrap(), bucket.contains(&1).unwrap()), (None, false), "it is ten seconds old");
    assert_eq!(bucket.get_many([1, 2]).unwrap(), [None, Some(20)]);
    assert_eq!(other.get(&1).unwrap(), Some(10), "a bucket with a timeout of its own");
    assert_eq!(bucket.get_or_insert_with(&1, || 11).unwrap(), 11, "which replaces what is outdated");
    clock.advance(8 * SECOND);
    assert_eq!(bucket.get(&2).unwrap(), Some(20));
    clock.advance(SECOND);
    assert_eq!((bucket.get(&2).unwrap(), bucket.get(&1).unwrap()), (None, Some(11)));

    bucket.set_timeout(None).unwrap();
    assert_eq!(bucket.get_many([1, 2]).unwrap(), [Some(11), Some(20)], "nothing was taken out");
    bucket.clear().unwrap();
}

fn what_has_no_timeout_gets_the_new_one(name: &str) {
    let clock = MockClock::install();
    let bucket: Bucket<u32> = Bucket::new(cache(name), "from for ever");
    bucket.set(&1, &10).unwrap();
    clock.advance(HOUR);
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    bucket.set_timeout(HOUR + SECOND).unwrap();
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    clock.advance(SECOND);
    assert_eq!(bucket.get(&1).unwrap(), None);
    bucket.clear().unwrap();
}

fn timeouts_of_entries_stand(name: &str) {
    let clock = MockClock::install();
    let bucket: Bucket<u32> = Bucket::new(cache(name), "own timeouts").timeout(10 * SECOND).unwrap();
    bucket.set_with_timeout(&1, &10, HOUR).unwrap();
    bucket.set(&2, &20).unwrap();
    bucket.touch(&2, Some(HOUR)).unwrap();
    bucket.set(&3, &30).unwrap();
    bucket.touch(&3, None).unwrap();
    clock.advance(20 * SECOND);
    assert_eq!(bucket.get_many([1, 2, 3]).unwrap(), [Some(10), Some(20), Some(30)]);
    bucket.set_timeout(SECOND).unwrap();
    assert_eq!(bucket.get_many([1, 2, 3]).unwrap(), [Some(10), None, None], "but for what had the bucket's timeout");
    assert!(bucket.touch(&2, Some(HOUR)).unwrap(), "it is there for the cache");
    assert!(!bucket.add(&2, &21).unwrap());
    assert_eq!(bucket.get(&2).unwrap(), None, "and is not made young");
    assert_eq!(bucket.prune().unwrap().entries, 2);
    assert!(bucket.add(&2, &21).unwrap());
    bucket.clear().unwrap();
}

fn clocks_that_differ_keep_an_entry_twice_as_long_at_most(name: &str) {
    let clock = MockClock::install();
    let bucket: Bucket<u32> = Bucket::new(cache(name), "skew");
    bucket.set(&1, &10).unwrap();
    bucket.set_timeout(10 * SECOND).unwrap();
    // The reader's clock is behind that of the writer.
    clock.shift_wall(-9_999);
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    clock.shift_wall(-1);
    assert_eq!(bucket.get(&1).unwrap(), None);
    clock.shift_wall(10_000 + 9_999);
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    clock.shift_wall(1);
    assert_eq!(bucket.get(&1).unwrap(), None);
    bucket.clear().unwrap();
}

fn prune_removes_what_is_outdated_or_corrupt(name: &str) {
    let clock = MockClock::install();
    let cache = cache(name);
    let bucket: Bucket<String> = Bucket::new(Arc::clone(&cache), "pruned").timeout(HOUR).unwrap();
    let neighbour: Bucket<String> = Bucket::new(Arc::clone(&cache), "pruned too").timeout(HOUR).unwrap();
    assert_eq!(bucket.prune().unwrap(), memokit::Pruned::default());

    for n in 0..40_u8 {
        bucket.set(&n, &"old".repeat(10)).unwrap();
        neighbour.set(&n, &"old".repeat(10)).unwrap();
    }
    let sizes: u64 = bucket.keys().unwrap().iter().map(|key| cache.get(key).unwrap().unwrap().len() as u64).sum();
    clock.advance(10 * SECOND);
    assert_eq!(bucket.prune().unwrap(), memokit::Pruned::default(), "nothing is outdated");
    for n in 40..50_u8 {
        bucket.set(&n, &"new".to_owned()).unwrap();
    }
    bucket.increment("number", -7).unwrap();
    bucket.clone().codec::<Json>().set(&"json", &"other codec".to_owned()).unwrap();
    // Damaged, foreign, empty, and of a version to come.
    let keys = ["damaged", "foreign", "empty", "misplaced", "of the future"].map(|key| {
        bucket.set(key, &"text".to_owned()).unwrap();
        let text = bucket.keys().unwrap();
        text.into_iter().find(|text| *text == key_text(&bucket, key)).unwrap()
    });
    let entry = cache.get(&keys[0]).unwrap().unwrap();
    let mut damaged = entry.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let mut future = entry.clone();
    future[4] = 2;
    for (key, bytes) in keys.iter().zip([&damaged[..], b"who wrote this?", b"", &entry, &future]) {
        cache.set(key, bytes, None).unwrap();
    }
    let corrupt = (damaged.len() + b"who wrote this?".len() + entry.len()) as u64;

    bucket.set_timeout(10 * SECOND).unwrap();
    let pruned = bucket.prune().unwrap();
    assert_eq!((pruned.entries, pruned.corrupt, pruned.bytes), (40 + 4, 4, sizes + corrupt));
    assert_eq!(bucket.prune().unwrap(), memokit::Pruned::default());
    assert_eq!(bucket.keys().unwrap().len(), 10 + 1 + 1 + 1, "fresh ones, the number, the other codec, the future");
    assert_eq!(bucket.get(&45_u8).unwrap().as_deref(), Some("new"));
    assert_eq!(bucket.increment("number", 0).unwrap(), -7);
    assert_eq!(bucket.clone().codec::<Json>().get("json").unwrap().as_deref(), Some("other codec"));
    assert_eq!(neighbour.keys().unwrap().len(), 40, "its own prefix only");
    assert!(neighbour.get(&1_u8).unwrap().is_some());
    assert_eq!((bucket.clear().unwrap(), neighbour.clear().unwrap()), (13, 40));
}

/// The text under which this bucket stores a key.
fn key_text(bucket: &Bucket<String>, key: &str) -> String {
    let alone: Bucket<String> = Bucket::new(Arc::new(MemoryCache::new()), "pruned");
    alone.set(key, &String::new()).unwrap();
    let text = alone.keys().unwrap().remove(0);
    assert!(bucket.keys().unwrap().contains(&text));
    text
}

async fn twins_prune_and_outdate(name: &str) {
    let clock = MockClock::install();
    let bucket: Bucket<u32> = Bucket::new(cache(name), "twins").timeout(HOUR).unwrap();
    bucket.set_many_async((0..20).map(|n| (n, &1)).collect::<Vec<_>>()).await.unwrap();
    bucket.set_with_timeout_async(&100, &2, HOUR).await.unwrap();
    clock.advance(SECOND);
    bucket.set_timeout(SECOND).unwrap();
    assert_eq!(bucket.get_many_async([0, 100]).await.unwrap(), [None, Some(2)]);
    assert_eq!((bucket.get_async(&5).await.unwrap(), bucket.contains_async(&100).await.unwrap()), (None, true));
    assert_eq!(bucket.get_or_insert_with_async(&5, || async { 3 }).await.unwrap(), 3);
    let pruned = bucket.prune_async().await.unwrap();
    assert_eq!((pruned.entries, pruned.corrupt), (19, 0));
    assert!(pruned.bytes > 19 * 70);
    assert_eq!(bucket.clear_async().await.unwrap(), 2);
}

#[test]
fn a_timeout_of_zero_is_refused_and_changes_nothing() {
    let bucket: Bucket<u32> = Bucket::new(Arc::new(MemoryCache::new()), "zero").timeout(HOUR).unwrap();
    let error = bucket.set_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("timeout of zero"), "{error}");
    assert_eq!(bucket.current_timeout(), Some(HOUR));
    assert_eq!(bucket.clone().timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
    bucket.set_timeout(Duration::MAX).unwrap();
    assert_eq!(bucket.current_timeout(), None, "584 years and more are for ever");
    assert!(format!("{bucket:?}").contains("memo:zero:0:"), "{bucket:?}");
}

/// The tests for one backend.
macro_rules! on {
    ($($backend:ident)*) => {
        $(mod $backend {
            const NAME: &str = stringify!($backend);

            #[test]
            fn a_shorter_timeout_holds_for_what_is_there() {
                super::a_shorter_timeout_holds_for_what_is_there(NAME);
            }

            #[test]
            fn what_has_no_timeout_gets_the_new_one() {
                super::what_has_no_timeout_gets_the_new_one(NAME);
            }

            #[test]
            fn timeouts_of_entries_stand() {
                super::timeouts_of_entries_stand(NAME);
            }

            #[test]
            fn clocks_that_differ_keep_an_entry_twice_as_long_at_most() {
                super::clocks_that_differ_keep_an_entry_twice_as_long_at_most(NAME);
            }

            #[test]
            fn prune_removes_what_is_outdated_or_corrupt() {
                super::prune_removes_what_is_outdated_or_corrupt(NAME);
            }

            #[tokio::test]
            async fn twins_prune_and_outdate() {
                super::twins_prune_and_outdate(NAME).await;
            }
        })*
    };
}

on!(memory file redis);
