//! `RedisCache` on a Redis Cluster whose slots are on their way from one node to another.
#![cfg(feature = "redis-tokio")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Stored};
use memo_core::{Cache, TimeToLive, Want, clock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;
use support::cluster::{Move, TestCluster};
use support::patient;
use tokio::runtime::Runtime;

const SECOND: Duration = Duration::from_secs(1);

/// Three masters whose slots the tests move in turns.
fn cluster() -> MutexGuard<'static, TestCluster> {
    static CLUSTER: OnceLock<Mutex<TestCluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Mutex::new(TestCluster::start(3)));
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the slot of a key begin to move to the next master.
fn begin_move(cluster: &TestCluster, key: &str) -> Move {
    let slot = cluster.slot(key);
    cluster.begin_move(slot, (cluster.owner(slot) + 1) % 3)
}

fn invalidation<'a>(keys: &'a [&'a str]) -> Invalidation<'a> {
    Invalidation { keys, keep: 60 * SECOND, ..Invalidation::default() }
}

/// Every operation on a slot of which some keys are here, some there, and some nowhere.
#[test]
fn a_slot_on_its_way_serves_every_operation() {
    let cluster = cluster();
    let cache = patient(RedisCache::builder(cluster.url()));
    let runtime = Runtime::new().unwrap();
    let key = |number: usize| format!("{{moving}}:{number}");
    for number in 0..20 {
        cache.set(&key(number), number.to_string().as_bytes(), Some(60 * SECOND)).unwrap();
    }
    let moving = begin_move(&cluster, "{moving}:0");
    assert!(cluster.move_keys(moving, 10));

    for number in 0..20 {
        let (key, value) = (key(number), number.to_string().into_bytes());
        assert_eq!(cache.get(&key).unwrap(), Some(value.clone()));
        let found = runtime.block_on(cache.read_async(&key, Want::BytesAndTimeToLive)).unwrap().unwrap();
        assert_eq!(found.bytes, value);
        assert!(matches!(found.time_to_live, TimeToLive::Left(_)));
        assert!(!cache.add(&key, b"other", None).unwrap());
        assert_eq!(cache.increment(&key, 100, None).unwrap(), i64::try_from(number).unwrap() + 100);
        assert!(cache.touch(&key, None).unwrap());
        assert!(runtime.block_on(cache.touch_async(&key, Some(60 * SECOND))).unwrap());
    }
    let all: Vec<String> = (0..24).map(key).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for found in [cache.get_many(&all).unwrap(), runtime.block_on(cache.get_many_async(&all)).unwrap()] {
        assert_eq!(found.iter().flatten().count(), 20);
        assert_eq!(found[19].as_deref(), Some(&b"119"[..]));
    }
    assert!(cache.add(all[20], b"new", None).unwrap());
    assert!(runtime.block_on(cache.add_async(all[21], b"new", None)).unwrap());
    assert_eq!(cache.increment(all[22], 7, None).unwrap(), 7);
    cache.set(all[0], b"here or there", None).unwrap();
    assert_eq!(cache.get(all[0]).unwrap().as_deref(), Some(&b"here or there"[..]));
    assert_eq!(cache.remove_many(&all).unwrap(), 23);
    assert_eq!(cache.get_many(&all).unwrap().iter().flatten().count(), 0);
    cluster.end_move(moving);
    assert!(cache.add(all[0], b"at its new place", None).unwrap());
    assert!(runtime.block_on(cache.remove_async(all[0])).unwrap());
}

/// An entry and its tombstone are two keys of one slot, of which one may be here, the other there, and any nowhere.
#[test]
fn a_slot_on_its_way_takes_invalidations_and_what_is_stored() {
    let cluster = cluster();
    let cache = patient(RedisCache::builder(cluster.url()));
    let runtime = Runtime::new().unwrap();
    let keys: Vec<String> = (0..16).map(|number| format!("{{buried}}:{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, &[u8])> = keys[..12].iter().map(|key| (*key, &b"value"[..])).collect();
    cache.invalidate(&invalidation(&keys[..8])).unwrap();
    cache.set_many(&entries, None).unwrap();
    let moving = begin_move(&cluster, keys[0]);
    assert!(cluster.move_keys(moving, 10));

    let mut latest = 0;
    for again in [false, true] {
        for (number, key) in keys.iter().enumerate() {
            let (one, there) = ([*key], !again && number < 12);
            let done = match number % 2 {
                0 => cache.invalidate(&invalidation(&one)).unwrap(),
                _ => runtime.block_on(cache.invalidate_async(&invalidation(&one))).unwrap(),
            };
            assert_eq!((done.removed, cache.get(key).unwrap()), (u64::from(there), None), "{key}");
            latest = done.sequence;
        }
    }
    cache.set_many(&entries, None).unwrap();
    assert_eq!(cache.invalidate(&invalidation(&keys)).unwrap().removed, 12);
    assert_eq!(cache.get_many(&keys).unwrap().iter().flatten().count(), 0);
    runtime.block_on(cache.set_many_async(&entries, None)).unwrap();
    assert_eq!(runtime.block_on(cache.invalidate_async(&invalidation(&keys))).unwrap().removed, 12);
    assert_eq!(runtime.block_on(cache.get_many_async(&keys)).unwrap().iter().flatten().count(), 0);

    // What is stored depends on both, which may be on two nodes.
    for (key, since, expected) in [
        (keys[0], latest + 1, Stored::Refused { sequence: latest + 2 }),
        (keys[1], latest + 2, Stored::Stored),
        // With an entry there already.
        (keys[1], latest + 2, Stored::Stored),
        (keys[1], latest + 1, Stored::Refused { sequence: latest + 2 }),
    ] {
        assert_eq!(cache.store(key, b"by a thread", None, since).unwrap(), expected);
        let stored = runtime.block_on(cache.store_async(key, b"by a task", Some(60 * SECOND), since));
        assert_eq!(stored.unwrap(), expected);
    }
    assert_eq!(cache.get(keys[0]).unwrap(), None);
    cluster.end_move(moving);
    assert_eq!(cache.get(keys[0]).unwrap(), None);
}

/// As a call of many ids loads them. Some of the entries are here, some there, most nowhere, and so are the tombstones.
#[test]
fn many_are_stored_together_in_a_slot_on_its_way() {
    const MANY: usize = 600;
    let cluster = cluster();
    // Short enough that one by one they would be late.
    let cache = RedisCache::builder(cluster.url()).connect_timeout(SECOND).operation_timeout(SECOND).build().unwrap();
    let runtime = Runtime::new().unwrap();
    let keys: Vec<String> = (0..MANY).map(|number| format!("{{many}}:{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let elsewhere: Vec<String> = (0..100).map(|number| format!("many:{number}")).collect();
    let sequence = cache.invalidate(&invalidation(&keys[..20])).unwrap().sequence;
    cache.set_many(&keys[10..30].iter().map(|key| (*key, &b"old"[..])).collect::<Vec<_>>(), None).unwrap();
    let moving = begin_move(&cluster, keys[0]);
    assert!(cluster.move_keys(moving, 20));

    let loaded = |key, since| Loaded { key, bytes: b"new", timeout: Some(60 * SECOND), since };
    let mut entries: Vec<Loaded<'_>> = keys.iter().map(|key| loaded(key, sequence - 1)).collect();
    entries.extend(elsewhere.iter().map(|key| loaded(key, sequence - 1)));
    for by_a_task in [false, true] {
        let before = cluster.all_calls("asking");
        let results = match by_a_task {
            true => runtime.block_on(cache.store_many_async(&entries)),
            false => cache.store_many(&entries),
        };
        assert_eq!(results.len(), entries.len());
        for (at, result) in results.iter().enumerate() {
            let expected = if at < 20 { Stored::Refused { sequence } } else { Stored::Stored };
            assert_eq!(*result.as_ref().unwrap(), expected, "{}", entries[at].key);
        }
        let asked = cluster.all_calls("asking") - before;
        assert!(asked <= 5 * MANY as u64, "no request is sent again and again: {asked}");
        let found = cache.get_many(&keys).unwrap();
        for (at, found) in found.iter().enumerate() {
            let expected = if at < 20 { None } else { Some(&b"new"[..]) };
            assert_eq!(found.as_deref(), expected, "{}", keys[at]);
        }
        assert_eq!(cache.remove_many(&keys).unwrap(), 580);
    }
    cluster.end_move(moving);
    cache.clear("").unwrap();
}

/// Threads load and store a key of a slot on its way, as processes would; another one invalidates it. What was loaded
/// before an invalidation is not there after it.
#[test]
fn nothing_old_is_stored_in_a_slot_on_its_way() {
    const ROUNDS: u64 = 400;
    const MOST_ROUNDS: u64 = 20_000;
    let cluster = cluster();
    let cache = || RedisCache::builder(cluster.url()).connect_timeout(5 * SECOND).operation_timeout(5 * SECOND);
    // One whose entry comes into being at the new node, and one that is at the old one, without its tombstone.
    let keys = ["{race}:new", "{race}:old"];
    let first = cache().build().unwrap();
    first.set(keys[1], b"0", None).unwrap();
    let moving = begin_move(&cluster, "{race}");

    let (done, stored, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let latest = AtomicU64::new(first.invalidate(&invalidation(&keys)).unwrap().sequence);
    let store = |key: &str| {
        let cache = cache().build().unwrap();
        while !done.load(Ordering::Relaxed) {
            let since = latest.load(Ordering::SeqCst);
            match cache.store(key, since.to_string().as_bytes(), None, since).unwrap() {
                Stored::Stored => stored.fetch_add(1, Ordering::Relaxed),
                Stored::Refused { sequence } => {
                    assert!(sequence > since);
                    refused.fetch_add(1, Ordering::Relaxed)
                }
            };
        }
    };
    let both_happened = || stored.load(Ordering::Relaxed) > 100 && refused.load(Ordering::Relaxed) > 10;
    let rounds = || {
        for round in 0..MOST_ROUNDS {
            if round > ROUNDS && both_happened() {
                break;
            }
            let sequence = first.invalidate(&invalidation(&keys)).unwrap().sequence;
            // One that is late comes between any two looks.
            for found in (0..10).flat_map(|_| first.get_many(&keys).unwrap()).flatten() {
                let since: u64 = String::from_utf8(found).unwrap().parse().unwrap();
                if since < sequence {
                    return Err(format!("loaded after {since}, found after invalidation {sequence}"));
                }
            }
            latest.store(sequence, Ordering::SeqCst);
            // In the middle of it some keys move on.
            if round == ROUNDS / 2 {
                cluster.move_keys(moving, 2);
            }
        }
        Ok(())
    };
    let ended = thread::scope(|scope| {
        for key in keys.iter().chain(&keys) {
            scope.spawn(|| store(key));
        }
        let ended = rounds();
        done.store(true, Ordering::Relaxed);
        ended
    });
    ended.unwrap();
    assert!(both_happened(), "{stored:?} were stored, {refused:?} refused");
    cluster.end_move(moving);
    first.clear("").unwrap();
}

/// Callers hammer some keys while their slots move around the cluster again and again. Each key has one writer, who
/// knows what must be read.
#[test]
fn slots_move_under_load() {
    const THREADS: u64 = 3;
    const TASKS: u64 = 8;
    const MOVES: u32 = 8;
    const CALLS: u64 = 1000;
    let cluster = cluster();
    let cache = RedisCache::builder(cluster.url()).connect_timeout(5 * SECOND).operation_timeout(5 * SECOND);
    let cache = cache.build().unwrap();
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let (stop, answered) = (&stop, &answered);
    let key = |caller: u64| format!("{{load:{}}}:{caller}", caller % 4);
    // What stays: enough that a slot takes some time to move.
    for caller in 0..4 {
        let many: Vec<String> = (0..40).map(|number| format!("{}:{number}", key(caller))).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|key| (key.as_str(), key.as_bytes())).collect();
        cache.set_many(&many, None).unwrap();
    }

    let blocking = |caller: u64| {
        let (cache, key) = (&cache, key(caller));
        let mut round = 0_i64;
        while !stop.load(Ordering::Relaxed) {
            round += 1;
            let value = round.to_string();
            cache.set(&key, value.as_bytes(), Some(100 * SECOND)).unwrap();
            assert_eq!(cache.get(&key).unwrap().as_deref(), Some(value.as_bytes()));
            assert_eq!(cache.increment(&key, 1, None).unwrap(), round + 1);
            assert!(!cache.add(&key, b"", None).unwrap());
            let still = format!("{key}:7");
            let found = cache.get_many(&[&key, &still, "{load}:none"]).unwrap();
            assert_eq!(found[0].as_deref(), Some((round + 1).to_string().as_bytes()));
            assert_eq!(found[1].is_some(), caller < 4);
            assert_eq!(found[2], None);
            assert_eq!(cache.remove_many(&[&key, "{load}:none"]).unwrap(), 1);
            assert!(!cache.remove(&key).unwrap());
            let Invalidated { sequence, removed } = cache.invalidate(&invalidation(&[&key])).unwrap();
            assert_eq!(removed, 0);
            assert_eq!(cache.store(&key, b"fresh", None, sequence).unwrap(), Stored::Stored);
            let Invalidated { sequence: later, removed } = cache.invalidate(&invalidation(&[&key])).unwrap();
            assert_eq!(removed, 1);
            assert_eq!(cache.store(&key, b"stale", None, sequence).unwrap(), Stored::Refused { sequence: later });
            answered.fetch_add(11, Ordering::Relaxed);
        }
    };
    let task = |caller: u64| {
        let (cache, key) = (&cache, key(caller));
        async move {
            let mut round = 0_i64;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let value = round.to_string();
                assert!(cache.add_async(&key, value.as_bytes(), None).await.unwrap());
                let found = cache.read_async(&key, Want::BytesAndTimeToLive).await.unwrap().unwrap();
                assert_eq!(found.bytes, value.as_bytes());
                assert_eq!(cache.increment_async(&key, 1, None).await.unwrap(), round + 1);
                assert!(cache.touch_async(&key, None).await.unwrap());
                assert!(cache.remove_async(&key).await.unwrap());
                answered.fetch_add(5, Ordering::Relaxed);
            }
        }
    };
    let moves = thread::scope(|scope| {
        let mut callers: Vec<_> = (0..THREADS).map(|caller| scope.spawn(move || blocking(caller))).collect();
        callers.push(scope.spawn(move || {
            let runtime = Runtime::new().unwrap();
            let tasks = (THREADS..THREADS + TASKS).map(task);
            runtime.block_on(join_all(tasks));
        }));
        let mut moves = 0;
        let begin = clock::now();
        let enough = |moves| moves >= MOVES && answered.load(Ordering::Relaxed) >= CALLS;
        while clock::now().since(begin) < 3 * SECOND || (!enough(moves) && clock::now().since(begin) < 60 * SECOND) {
            for tag in 0..4 {
                let slot = cluster.slot(&format!("{{load:{tag}}}"));
                cluster.move_slot(slot, (cluster.owner(slot) + 1) % 3);
                moves += 1;
            }
        }
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.join().expect("no call failed, and no answer was wrong");
        }
        moves
    });
    println!("{} calls, {moves} moves", answered.load(Ordering::Relaxed));
    assert!(moves >= MOVES && answered.load(Ordering::Relaxed) >= CALLS);
    cache.clear("{load:").unwrap();
}

async fn join_all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut futures: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut futures {
            if slot.as_mut().is_some_and(|future| future.as_mut().poll(context).is_ready()) {
                *slot = None;
            }
        }
        if futures.iter().all(Option::is_none) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
