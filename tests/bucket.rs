//! `Bucket` on every backend: exact counts, races, and what is kept apart.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::codec::{Bincode, Json, MessagePack};
use memokit::{Bucket, Cache, ErrorKind};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 10;
const MINUTE: Duration = Duration::from_secs(60);
const THREADS: u64 = 8;

fn cache(name: &str) -> Arc<dyn Cache> {
    support::register(NUMBER);
    memokit::cache(name).unwrap()
}

fn bucket<V>(cache_name: &str, prefix: &str) -> Bucket<V> {
    Bucket::new(cache(cache_name), prefix)
}

fn every_operation(cache: &str) {
    let bucket: Bucket<String> = bucket(cache, "all operations").timeout(MINUTE).unwrap();
    let text = |text: &str| text.to_owned();
    assert_eq!(
        (bucket.get("a").unwrap(), bucket.contains("a").unwrap(), bucket.remove("a").unwrap()),
        (None, false, false)
    );
    bucket.set("a", &text("1")).unwrap();
    bucket.set("a", &text("2")).unwrap();
    assert_eq!(bucket.get(&text("a")).unwrap(), Some(text("2")), "what is equal as data is one key");
    assert!(!bucket.add("a", &text("3")).unwrap());
    assert!(bucket.add("b", &text("3")).unwrap());
    assert!(bucket.contains("b").unwrap());
    bucket.set_with_timeout("c", &text("4"), MINUTE).unwrap();
    assert_eq!(bucket.get_many(["c", "missing", "a"]).unwrap(), [Some(text("4")), None, Some(text("2"))]);
    bucket.set_many([("d", &text("5")), ("e", &text("6"))]).unwrap();
    assert_eq!((bucket.keys().unwrap().len(), bucket.get("e").unwrap()), (5, Some(text("6"))));
    assert_eq!(bucket.remove_many(["a", "a", "missing", "b"]).unwrap(), 2);
    assert!(bucket.remove("c").unwrap() && !bucket.remove("c").unwrap());
    assert!(bucket.touch("d", Some(MINUTE)).unwrap() && bucket.touch("d", None).unwrap());
    assert!(!bucket.touch("c", None).unwrap());
    let loads = AtomicU32::new(0);
    for _ in 0..2 {
        let load = || {
            loads.fetch_add(1, SeqCst);
            text("7")
        };
        assert_eq!(bucket.get_or_insert_with("f", load).unwrap(), text("7"));
    }
    assert_eq!(loads.load(SeqCst), 1);
    assert_eq!((bucket.increment("n", 2).unwrap(), bucket.increment("n", -5).unwrap()), (2, -3));
    assert_eq!(bucket.get("n").unwrap(), None, "numbers are no values");
    assert_eq!(bucket.increment("f", 1).unwrap_err().kind(), ErrorKind::Backend, "and values no numbers");
    assert_eq!(bucket.get("f").unwrap(), Some(text("7")));
    assert_eq!(bucket.clear().unwrap(), 4);
    assert_eq!((bucket.clear().unwrap(), bucket.keys().unwrap()), (0, Vec::new()));
    assert_eq!(bucket.remove_many(Vec::<u8>::new()).unwrap(), 0);
    assert_eq!(bucket.get_many(Vec::<u8>::new()).unwrap(), []);
    bucket.set_many(Vec::<(u8, &String)>::new()).unwrap();

    for error in [
        bucket.set_with_timeout("z", &text("z"), Duration::ZERO).unwrap_err(),
        bucket.touch("z", Some(Duration::ZERO)).unwrap_err(),
        bucket.clone().timeout(Duration::ZERO).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    assert!(!bucket.contains("z").unwrap());
}

/// As a dictionary has it: the misses are absent, and counts are of what was there.
fn many_at_once_as_maps(cache: &str) {
    let bucket: Bucket<u32> = bucket(cache, "maps");
    let map = HashMap::from([("k1", 1), ("k2", 2), ("k3", 3)]);
    bucket.set_many(&map).unwrap();
    let keys = ["k1", "kx", "k3"];
    let found: HashMap<&str, u32> =
        keys.into_iter().zip(bucket.get_many(keys).unwrap()).filter_map(|(key, value)| Some((key, value?))).collect();
    assert_eq!(found, HashMap::from([("k1", 1), ("k3", 3)]));
    assert_eq!(bucket.get_many(map.keys()).unwrap().into_iter().flatten().sum::<u32>(), 6);
    bucket.set_many(&HashMap::<u8, u32>::new()).unwrap();
    bucket.set_many([("k1", &10), ("k1", &11)]).unwrap();
    assert_eq!(bucket.get("k1").unwrap(), Some(11), "the last of two under one key");
    assert_eq!(bucket.get_many(["k1", "k1"]).unwrap(), [Some(11), Some(11)]);
    assert_eq!(
        (bucket.remove_many(["k1", "kx", "k2"]).unwrap(), bucket.remove_many(["k1", "kx", "k2"]).unwrap()),
        (2, 0)
    );
    assert_eq!((bucket.clear().unwrap(), bucket.clear().unwrap()), (1, 0));
    assert_eq!(bucket.increment("n", i64::MAX).unwrap(), i64::MAX);
    assert_eq!(bucket.increment("n", 1).unwrap_err().kind(), ErrorKind::Backend, "no number wraps around");
    assert_eq!((bucket.increment("n", 0).unwrap(), bucket.clear().unwrap()), (i64::MAX, 1));
}

async fn every_operation_as_a_task(cache: &str) {
    let bucket: Bucket<u32> = bucket(cache, "all twins").timeout(MINUTE).unwrap();
    assert_eq!((bucket.get_async(&1).await.unwrap(), bucket.remove_async(&1).await.unwrap()), (None, false));
    bucket.set_async(&1, &10).await.unwrap();
    bucket.set_with_timeout_async(&2, &20, MINUTE).await.unwrap();
    assert!(!bucket.add_async(&1, &11).await.unwrap() && bucket.add_async(&3, &30).await.unwrap());
    assert_eq!(bucket.get_many_async([3, 9, 1]).await.unwrap(), [Some(30), None, Some(10)]);
    bucket.set_many_async([(4, &40), (5, &50)]).await.unwrap();
    assert!(bucket.contains_async(&5).await.unwrap() && !bucket.contains_async(&9).await.unwrap());
    assert_eq!(bucket.get(&4).unwrap(), Some(40), "one bucket for both doors");
    assert_eq!(bucket.remove_many_async([1, 1, 9, 2]).await.unwrap(), 2);
    assert!(bucket.touch_async(&3, None).await.unwrap() && !bucket.touch_async(&9, Some(MINUTE)).await.unwrap());
    assert_eq!(bucket.get_or_insert_with_async(&6, || async { 60 }).await.unwrap(), 60);
    assert_eq!(bucket.get_or_insert_with_async(&6, || async { 61 }).await.unwrap(), 60);
    assert_eq!((bucket.increment_async("n", 2).await.unwrap(), bucket.increment("n", 1).unwrap()), (2, 3));
    assert_eq!(bucket.keys_async().await.unwrap().len(), 5);
    assert_eq!((bucket.clear_async().await.unwrap(), bucket.clear_async().await.unwrap()), (5, 0));
    assert_eq!(bucket.set_with_timeout_async(&1, &1, Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(bucket.touch_async(&1, Some(Duration::ZERO)).await.unwrap_err().kind(), ErrorKind::Config);
    // A future that is never polled does nothing.
    drop(bucket.set_async(&1, &1));
    assert_eq!(bucket.get_async(&1).await.unwrap(), None);
}

fn keys_and_prefixes_stay_apart(cache_name: &str) {
    let cache = cache(cache_name);
    let [a, ab, a_version]: [Bucket<u8>; 3] = ["a", "ab", "a:0"].map(|prefix| Bucket::new(Arc::clone(&cache), prefix));
    for n in 0..5_u8 {
        a.set(&n, &n).unwrap();
        ab.set(&n, &(n + 10)).unwrap();
        a_version.set(&n, &(n + 20)).unwrap();
    }
    let known: BTreeSet<String> = a.keys().unwrap().into_iter().collect();
    assert_eq!(known.len(), 5);
    assert!(known.iter().all(|key| key.starts_with("memo:a:0:")), "{known:?}");
    assert_eq!(a.clear().unwrap(), 5);
    assert_eq!(
        (a.get(&1_u8).unwrap(), ab.get(&1_u8).unwrap(), a_version.get(&1_u8).unwrap()),
        (None, Some(11), Some(21))
    );
    assert_eq!((ab.clear().unwrap(), a_version.clear().unwrap()), (5, 5));

    let writer: Bucket<String> = Bucket::new(Arc::clone(&cache), "keys");
    writer.set(&("ab", "c"), &"one".to_owned()).unwrap();
    assert_eq!(writer.get(&("a", "bc")).unwrap(), None);
    assert_eq!(writer.get(&("ab", "c", ())).unwrap(), None);
    let one: HashMap<u32, &str> = (0..50).map(|n| (n, "v")).collect();
    let other: HashMap<u32, &str> = (0..50).rev().map(|n| (n, "v")).collect();
    writer.set(&one, &"map".to_owned()).unwrap();
    assert_eq!(writer.get(&other).unwrap().as_deref(), Some("map"), "a map is a key whatever its order");
    writer.clear().unwrap();
}

fn types_and_codecs_stay_apart(cache_name: &str) {
    let cache = cache(cache_name);
    let numbers: Bucket<u32> = Bucket::new(Arc::clone(&cache), "mixed");
    let texts: Bucket<String> = Bucket::new(Arc::clone(&cache), "mixed");
    numbers.set(&1, &7).unwrap();
    assert_eq!(
        (texts.get(&1).unwrap(), texts.get_many([1]).unwrap(), texts.contains(&1).unwrap()),
        (None, vec![None], false)
    );
    assert_eq!(texts.get_or_insert_with(&1, || "seven".to_owned()).unwrap(), "seven");
    assert_eq!((numbers.get(&1).unwrap(), texts.get(&1).unwrap().as_deref()), (None, Some("seven")));

    let [json, pack, bin] = [texts.clone(), texts.clone(), texts.clone()];
    let (json, pack, bin) = (json.codec::<Json>(), pack.codec::<MessagePack>(), bin.codec::<Bincode>());
    json.set(&2, &"json".to_owned()).unwrap();
    assert_eq!((texts.get(&2).unwrap(), pack.get(&2).unwrap(), bin.get(&2).unwrap()), (None, None, None));
    assert_eq!(json.get(&2).unwrap().as_deref(), Some("json"));
    pack.set(&2, &"pack".to_owned()).unwrap();
    assert_eq!((json.get(&2).unwrap(), pack.get(&2).unwrap().as_deref()), (None, Some("pack")));

    assert!(texts.remove(&2).unwrap(), "removing needs no codec");
    let key = texts.keys().unwrap().pop().unwrap();
    for bytes in [&b""[..], b"MEMO", b"\xff\xff\xff\xff\xff", &[0; 300]] {
        cache.set(&key, bytes, None).unwrap();
        assert_eq!(texts.get_many([1, 2]).unwrap().iter().flatten().count(), 0);
    }
    texts.clear().unwrap();
}

fn counts_are_exact_in_a_race(cache_name: &str) {
    let bucket: Bucket<u64> = bucket(cache_name, "race");
    let (added, removed) = (AtomicU64::new(0), AtomicU64::new(0));
    let race = |work: &(dyn Fn(u64) + Sync)| {
        thread::scope(|scope| (0..THREADS).for_each(|id| drop(scope.spawn(move || work(id)))));
    };
    race(&|id| {
        for key in 0..50_u64 {
            added.fetch_add(u64::from(bucket.add(&key, &id).unwrap()), SeqCst);
            bucket.increment("sum", 3).unwrap();
        }
    });
    assert_eq!(added.load(SeqCst), 50, "one of the threads stores each key");
    assert_eq!(bucket.increment("sum", 0).unwrap(), i64::try_from(THREADS * 150).unwrap());
    race(&|id| {
        let keys = (0..60).map(|n| (n + id * 7) % 60);
        let (first, rest): (Vec<u64>, Vec<u64>) = keys.partition(|key| key % 5 == 0);
        removed.fetch_add(bucket.remove_many(&rest).unwrap(), SeqCst);
        removed.fetch_add(first.iter().map(|key| u64::from(bucket.remove(key).unwrap())).sum(), SeqCst);
    });
    assert_eq!(removed.load(SeqCst), 50, "each entry is counted by one of them");
    assert_eq!(bucket.clear().unwrap(), 1);
}

async fn counts_of_tasks_are_exact(cache_name: &str) {
    let bucket: Bucket<u64> = bucket(cache_name, "task race");
    let tasks: Vec<_> = (0..THREADS)
        .map(|id| {
            let bucket = bucket.clone();
            tokio::spawn(async move {
                let mut added = 0;
                for key in 0..20_u64 {
                    added += u64::from(bucket.add_async(&key, &id).await.unwrap());
                    bucket.increment_async("sum", 1).await.unwrap();
                }
                tokio::task::yield_now().await;
                (added, bucket.remove_many_async(100..200_u64).await.unwrap())
            })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        let (added, removed) = task.await.unwrap();
        assert_eq!(removed, 0);
        sum += added;
    }
    assert_eq!(sum, 20);
    assert_eq!(bucket.increment_async("sum", 0).await.unwrap(), i64::try_from(THREADS * 20).unwrap());
    assert_eq!(bucket.clear_async().await.unwrap(), 21);
}

/// The tests for one backend.
macro_rules! on {
    ($($backend:ident)*) => {
        $(mod $backend {
            const NAME: &str = stringify!($backend);

            #[test]
            fn every_operation() {
                super::every_operation(NAME);
            }

            #[test]
            fn many_at_once_as_maps() {
                super::many_at_once_as_maps(NAME);
            }

            #[tokio::test]
            async fn every_operation_as_a_task() {
                super::every_operation_as_a_task(NAME).await;
            }

            #[test]
            fn keys_and_prefixes_stay_apart() {
                super::keys_and_prefixes_stay_apart(NAME);
            }

            #[test]
            fn types_and_codecs_stay_apart() {
                super::types_and_codecs_stay_apart(NAME);
            }

            #[test]
            fn counts_are_exact_in_a_race() {
                super::counts_are_exact_in_a_race(NAME);
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn counts_of_tasks_are_exact() {
                super::counts_of_tasks_are_exact(NAME).await;
            }
        })*
    };
}

on!(memory file redis);
