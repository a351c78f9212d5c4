//! `get`, `set`, `delete`, their siblings for many keys, `keys`, `flush`, `incr`.

use super::cache;
use crate::{MILLI, SECOND};
use memokit::key::{Digest, Prefix};
use memokit::testing::MockClock;
use memokit::{Bucket, ErrorKind, RedisCache, TimeToLive, Want};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long the server keeps the only entry of a bucket.
fn time_to_live<V>(bucket: &Bucket<V>) -> TimeToLive {
    let [key] = bucket.keys().unwrap().try_into().unwrap();
    let mut left = None;
    let read = crate::cache("redis").read(&key, Want::BytesAndTimeToLive, &mut |found| left = Some(found.time_to_live));
    read.unwrap();
    left.unwrap()
}

#[test]
fn get_gives_what_was_set() {
    let cache = cache("get and set");
    cache.set("k1", &"v1".to_owned()).unwrap();
    cache.set("k2", &"v2".to_owned()).unwrap();
    assert_eq!((cache.get("k1").unwrap(), cache.get("k2").unwrap()), (Some("v1".into()), Some("v2".into())));
    cache.set("k1", &"v1 new".to_owned()).unwrap();
    assert_eq!(cache.get("k1").unwrap().as_deref(), Some("v1 new"));
}

/// There, `get(key, default)`.
#[test]
fn get_of_what_is_not_there_is_none() {
    let cache: Bucket<u32> = cache("default");
    assert_eq!(cache.get("missing").unwrap(), None);
    assert_eq!(cache.get("missing").unwrap().unwrap_or(7), 7);
}

/// There pickle; here what serde can write, typed.
#[test]
fn values_are_of_any_type() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
        tags: Vec<(u8, Option<String>)>,
    }
    let cache = cache("any type");
    let note = Note { text: "n".into(), tags: vec![(1, None), (2, Some("b".into()))] };
    cache.set(&(1, "note"), &note).unwrap();
    assert_eq!(cache.get(&(1, "note")).unwrap(), Some(note));
}

/// There 1 and then 0.
#[test]
fn delete_says_whether_there_was_something() {
    let cache = cache("delete");
    cache.set("k1", &1).unwrap();
    assert!(cache.remove("k1").unwrap());
    assert!(!cache.remove("k1").unwrap());
    assert_eq!(cache.get("k1").unwrap(), None);
}

/// There `timeout=None`, with no default either.
#[test]
fn without_a_timeout_the_server_keeps_the_entry() {
    let cache = cache("no timeout");
    cache.set("k1", &1).unwrap();
    assert_eq!(time_to_live(&cache), TimeToLive::Forever);
}

#[test]
fn the_default_timeout_holds_for_set() {
    let cache = cache("default timeout").timeout(60 * SECOND).unwrap();
    cache.set("k1", &1).unwrap();
    assert!(matches!(time_to_live(&cache), TimeToLive::Left(left) if left > 50 * SECOND && left <= 60 * SECOND));
}

#[test]
fn a_timeout_of_its_own_wins_over_the_default() {
    let cache = cache("own timeout").timeout(60 * SECOND).unwrap();
    cache.set_with_timeout("k1", &1, 600 * SECOND).unwrap();
    assert!(matches!(time_to_live(&cache), TimeToLive::Left(left) if left > 590 * SECOND && left <= 600 * SECOND));
}

/// There, `timeout=0.5` is cut to 0, which the server refuses. Here the server gets milliseconds.
#[test]
fn a_timeout_below_a_second_is_not_cut_to_zero() {
    let cache = cache("half a second");
    cache.set_with_timeout("k1", &1, 500_500 * MILLI).unwrap();
    assert!(matches!(time_to_live(&cache), TimeToLive::Left(left) if left > 490 * SECOND && left <= 500_500 * MILLI));
    cache.remove("k1").unwrap();
    // Half a second may pass before the next line: what must hold is that the server took it.
    cache.set_with_timeout("k1", &1, 500 * MILLI).unwrap();
}

/// There, 0 means for ever. Here it is refused, since it could as well mean never.
#[test]
fn a_timeout_of_zero_is_an_error() {
    let cache = cache("zero");
    assert_eq!(cache.set_with_timeout("k1", &1, Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(cache.get("k1").unwrap(), None);
}

/// There the result has the found ones only. Here it has a place for each key.
#[test]
fn get_many_tells_what_is_missing() {
    let cache = cache("get many");
    cache.set_many([("k1", &1), ("k3", &3)]).unwrap();
    assert_eq!(cache.get_many(["k1", "k2", "k3"]).unwrap(), [Some(1), None, Some(3)]);
    assert_eq!(cache.get_many(Vec::<&str>::new()).unwrap(), []);
}

#[test]
fn set_many_sets_all_with_the_timeout() {
    let _clock = MockClock::install();
    let cache = cache("set many").timeout(60 * SECOND).unwrap();
    let values: Vec<u32> = (0..100).collect();
    cache.set_many(values.iter().map(|n| (n, n))).unwrap();
    assert_eq!(cache.get_many(0..100_u32).unwrap(), (0..100).map(Some).collect::<Vec<_>>());
    let redis = crate::cache("redis");
    for key in cache.keys().unwrap() {
        let mut lives = false;
        let look = &mut |found: memokit::Found<&[u8]>| lives = matches!(found.time_to_live, TimeToLive::Left(_));
        redis.read(&key, Want::BytesAndTimeToLive, look).unwrap();
        assert!(lives);
    }
}

#[test]
fn delete_many_counts_what_was_there() {
    let cache = cache("delete many");
    cache.set_many([("k1", &1), ("k2", &2), ("k3", &3)]).unwrap();
    assert_eq!(cache.remove_many(["k1", "kx", "k2"]).unwrap(), 2);
    assert_eq!(cache.remove_many(["k1", "kx", "k2"]).unwrap(), 0);
    assert_eq!(cache.get("k3").unwrap(), Some(3));
}

/// There the keys, here their texts: what is stored is a digest, so a key has no length limit.
#[test]
fn keys_lists_the_entries_of_one_cache() {
    let (cache, neighbour) = (cache("keys"), super::cache("keys too"));
    cache.set_many([("k1", &1), ("k2", &2)]).unwrap();
    neighbour.set("k3", &3).unwrap();
    let keys = cache.keys().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| key.starts_with(Prefix::new("walrus keys", 0).as_str())), "{keys:?}");
}

/// `make_key`.
#[test]
fn the_key_of_an_entry_can_be_made() {
    let cache = cache("make key");
    cache.set(&("user", 7), &1).unwrap();
    let key = Prefix::new("walrus make key", 0).key(&Digest::of(&("user", 7)).unwrap());
    assert_eq!(cache.keys().unwrap(), [key.text()]);
}

/// There, the `*` and `[` of a name are a pattern to the server, so one cache flushes another.
#[test]
fn flush_empties_one_cache_and_no_other() {
    let [star, plain, longer] = ["a*[b]", "axb", "a*[b]:c"].map(cache::<u32>);
    for cache in [&star, &plain, &longer] {
        cache.set_many([("k1", &1), ("k2", &2)]).unwrap();
    }
    assert_eq!(star.clear().unwrap(), 2);
    assert_eq!(
        (star.keys().unwrap().len(), plain.get("k1").unwrap(), longer.get("k2").unwrap()),
        (0, Some(1), Some(2))
    );
}

/// There `None`, here a count like any other.
#[test]
fn flush_of_an_empty_cache_is_zero() {
    assert_eq!(cache::<u32>("empty").clear().unwrap(), 0);
}

#[test]
fn incr_counts_from_zero_by_a_delta() {
    let cache: Bucket<()> = cache("incr");
    assert_eq!((cache.increment("n", 1).unwrap(), cache.increment("n", 4).unwrap()), (1, 5));
    assert_eq!(cache.increment("n", -2).unwrap(), 3);
    assert_eq!(cache.increment("n", 0).unwrap(), 3);
}

#[test]
fn incr_loses_none_of_many_threads() {
    let cache: Bucket<()> = cache("incr threads");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).map(|_| cache.increment("n", 1).unwrap()).max());
        }
    });
    assert_eq!(cache.increment("n", 0).unwrap(), 100);
}

/// `cache.metrics`, there without a lock.
#[test]
fn metrics_count_hits_misses_and_writes() {
    let cache = cache("metrics");
    cache.set("k1", &1).unwrap();
    cache.set_many([("k2", &2), ("k3", &3)]).unwrap();
    assert_eq!((cache.get("k1").unwrap(), cache.get("k9").unwrap()), (Some(1), None));
    cache.get_many(["k1", "k2", "k9"]).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.writes), (3, 2, 3));
}

/// There, unpickling fails and the caller gets that error.
#[test]
fn bytes_that_are_no_value_are_not_there() {
    let cache = cache("corrupt");
    cache.set("k1", &1_u32).unwrap();
    let [key] = cache.keys().unwrap().try_into().unwrap();
    for bytes in [&b""[..], b"\x80\x04K\x01.", b"memo"] {
        crate::cache("redis").set(&key, bytes, None).unwrap();
        assert_eq!(cache.get("k1").unwrap(), None);
    }
}

/// Two caches of one name and one key, where the program changed the type of the value.
#[test]
fn a_value_of_another_type_is_not_there() {
    cache::<u32>("retyped").set("k1", &1).unwrap();
    assert_eq!(cache::<i64>("retyped").get("k1").unwrap(), None);
}

/// As there.
#[test]
fn a_server_that_is_down_is_an_error_of_the_dictionary() {
    let nobody = RedisCache::builder("redis://127.0.0.1:1/").connect_timeout(SECOND).build().unwrap();
    let cache: Bucket<u32> = Bucket::new(Arc::new(nobody), "walrus down");
    assert_eq!(cache.get("k1").unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(cache.set("k1", &1).unwrap_err().is_retryable());
}

/// The sibling class `Lock`: of all who add one key, one is told that it did. The timeout frees it where its owner died.
#[test]
fn add_is_a_lock_for_several_processes() {
    let _clock = MockClock::install();
    let locks: Bucket<u32> = cache("lock").timeout(60 * SECOND).unwrap();
    let owners: u32 = thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|n| {
                scope.spawn({
                    let locks = &locks;
                    move || locks.add("job", &n).unwrap()
                })
            })
            .collect();
        all.into_iter().map(|one| u32::from(one.join().unwrap())).sum()
    });
    assert_eq!(owners, 1);
    assert!(locks.touch("job", Some(120 * SECOND)).unwrap(), "its owner holds it longer");
    assert!(matches!(time_to_live(&locks), TimeToLive::Left(left) if left > 100 * SECOND));
    assert!(locks.remove("job").unwrap() && locks.add("job", &9).unwrap());
}
