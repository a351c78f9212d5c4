//! What a bucket counts.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Bucket, BucketStats, Cache, ErrorKind, MemoryCache};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::probe::{Probe, Step};

fn counted(stats: BucketStats) -> (u64, u64, u64) {
    (stats.hits, stats.misses, stats.writes)
}

fn bucket() -> Bucket<u32> {
    Bucket::new(Arc::new(MemoryCache::new()), "counted")
}

#[test]
fn every_key_that_is_asked_for_is_a_hit_or_a_miss() {
    let bucket = bucket();
    assert_eq!((counted(bucket.stats()), bucket.stats().hit_ratio()), ((0, 0, 0), None));
    bucket.get("a").unwrap();
    bucket.set("a", &1).unwrap();
    bucket.get("a").unwrap();
    bucket.contains("a").unwrap();
    assert_eq!(counted(bucket.stats()), (2, 1, 1));
    bucket.get_many(["a", "b", "a", "c"]).unwrap();
    assert_eq!(counted(bucket.stats()), (4, 3, 1));
    bucket.get_or_insert_with("d", || 4).unwrap();
    bucket.get_or_insert_with("d", || 5).unwrap();
    assert_eq!(counted(bucket.stats()), (5, 4, 2));
    assert!(bucket.stats().hit_ratio().is_some_and(|ratio| (ratio - 5.0 / 9.0).abs() < 1e-9));
}

#[test]
fn values_that_are_stored_are_writes() {
    let bucket = bucket();
    bucket.set_with_timeout("a", &1, Duration::from_secs(60)).unwrap();
    bucket.set_many([("b", &2), ("c", &3)]).unwrap();
    assert_eq!((bucket.add("a", &9).unwrap(), bucket.add("d", &4).unwrap()), (false, true));
    assert_eq!(counted(bucket.stats()), (0, 0, 4));
    bucket.remove("a").unwrap();
    bucket.clear().unwrap();
    assert_eq!(counted(bucket.stats()), (0, 0, 4), "what is removed counts as nothing");
    let mut waiting = bucket.deferred();
    waiting.set("e", &5).unwrap();
    waiting.set("e", &6).unwrap();
    assert_eq!(counted(bucket.stats()), (0, 0, 4), "it waits");
    waiting.flush().unwrap();
    assert_eq!(counted(bucket.stats()), (0, 0, 5), "each key once");
}

#[test]
fn what_is_no_value_of_the_bucket_is_a_miss() {
    let bucket = bucket();
    let texts: Bucket<String> = Bucket::new(Arc::new(MemoryCache::new()), "counted");
    bucket.clone().codec::<memokit::codec::Json>().set("a", &1).unwrap();
    bucket.get("a").unwrap();
    assert_eq!(counted(bucket.stats()), (0, 1, 1), "a clone of another codec counts with it");
    assert_eq!(counted(texts.stats()), (0, 0, 0), "another bucket of the prefix does not");
}

#[test]
fn copies_in_memory_are_hits_too() {
    let bucket = bucket().in_memory(10, Duration::from_secs(3600)).unwrap();
    bucket.set("a", &1).unwrap();
    for _ in 0..3 {
        bucket.get("a").unwrap();
    }
    bucket.get_many(["a", "b"]).unwrap();
    assert_eq!(counted(bucket.stats()), (4, 1, 1));
}

#[test]
fn what_fails_counts_as_nothing() {
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(Arc::clone(&probe) as Arc<dyn Cache>, "counted");
    probe.rule(|_, _| Step::Fail(ErrorKind::Unavailable));
    assert!(bucket.get("a").is_err() && bucket.set("a", &1).is_err());
    assert_eq!(counted(bucket.stats()), (0, 0, 0));
}

#[tokio::test]
async fn twins_count_alike_and_a_while_is_a_difference() {
    let bucket = bucket();
    bucket.set_async("a", &1).await.unwrap();
    bucket.get_async("a").await.unwrap();
    let before = bucket.stats();
    bucket.get_many_async(["a", "b"]).await.unwrap();
    bucket.set_many_async([("b", &2)]).await.unwrap();
    assert_eq!((counted(before), counted(bucket.stats().since(&before))), ((1, 0, 1), (1, 1, 1)));
}

#[test]
fn no_count_of_many_threads_is_lost() {
    let bucket = bucket();
    thread::scope(|scope| {
        for n in 0..4_u32 {
            let bucket = &bucket;
            scope.spawn(move || {
                for _ in 0..500 {
                    bucket.set(&n, &n).unwrap();
                    bucket.get(&n).unwrap();
                }
            });
        }
    });
    assert_eq!(counted(bucket.stats()), (2000, 0, 2000));
}
