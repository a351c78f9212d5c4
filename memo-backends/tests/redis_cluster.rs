//! `RedisCache` on a Redis Cluster.
#![cfg(feature = "redis-tokio")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::bus::{Listener, Snapshot};
use memo_core::invalidation::{Invalidated, Invalidation, Stored};
use memo_core::testing::conformance;
use memo_core::{Cache, ErrorKind, TimeToLive, Want, clock};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;
use support::cluster::TestCluster;
use support::{eventually, replicated};
use tokio::runtime::Runtime;

const SECOND: Duration = Duration::from_secs(1);

/// Three masters that the tests use in turns: some empty it, some move its slots.
fn cluster() -> MutexGuard<'static, TestCluster> {
    static CLUSTER: OnceLock<Mutex<TestCluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Mutex::new(TestCluster::start(3)));
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a node ran these commands since its start.
fn calls_of(cluster: &TestCluster, node: usize, commands: &[&str]) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut cluster.admin(node)).unwrap();
    let of_command = |command: &&str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    };
    commands.iter().map(of_command).sum()
}

/// How often all nodes did.
fn calls(cluster: &TestCluster, commands: &[&str]) -> u64 {
    (0..cluster.nodes.len()).map(|node| calls_of(cluster, node, commands)).sum()
}

fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}:{number}")).collect()
}

fn invalidation<'a>(keys: &'a [&'a str]) -> Invalidation<'a> {
    Invalidation { keys, keep: 60 * SECOND, ..Invalidation::default() }
}

#[test]
fn the_contract_holds_on_tokio() {
    let cluster = cluster();
    let cache: Arc<dyn Cache> = Arc::new(RedisCache::connect(cluster.url()).unwrap());
    let runtime = Runtime::new().unwrap();
    conformance::check(&cache, &mut thread::sleep, &|future| runtime.block_on(future));
}

#[test]
fn the_contract_holds_without_a_runtime() {
    let cluster = cluster();
    // One node is enough to find the others.
    let first = cluster.nodes[1].address().to_string();
    let cache: Arc<dyn Cache> = Arc::new(RedisCache::cluster([first]).build().unwrap());
    conformance::check(&cache, &mut thread::sleep, &conformance::block_on);
}

#[test]
fn keys_are_on_every_node_and_found_again() {
    let cluster = cluster();
    let cache = RedisCache::connect(cluster.url()).unwrap();
    let runtime = Runtime::new().unwrap();
    let keys = keys("spread", 2500);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (*key, key.as_bytes())).collect();

    cache.set_many(&entries[..1000], Some(60 * SECOND)).unwrap();
    runtime.block_on(cache.set_many_async(&entries[1000..], Some(60 * SECOND))).unwrap();
    for node in 0..3 {
        let count: u64 = redis::cmd("DBSIZE").query(&mut cluster.admin(node)).unwrap();
        assert!(count > 500, "{count} on node {node}");
    }
    let found = [cache.get_many(&keys).unwrap(), runtime.block_on(cache.get_many_async(&keys)).unwrap()];
    for found in found {
        assert!(found.iter().zip(&keys).all(|(found, key)| found.as_deref() == Some(key.as_bytes())));
    }
    let mut scanned = HashSet::new();
    cache.scan("spread:1", &mut |key| scanned.extend([key.to_owned()])).unwrap();
    assert_eq!(scanned.len(), 1 + 10 + 100 + 1000);
    assert_eq!(runtime.block_on(cache.scan_async("spread:")).unwrap().len(), 2500);

    assert_eq!(cache.get_many(&[]).unwrap(), []);
    assert_eq!(cache.remove_many(&[]).unwrap(), 0);
    let twice = [keys[0], keys[1], keys[2], keys[0], "spread:none"];
    assert_eq!(cache.remove_many(&twice).unwrap(), 3);
    assert_eq!(runtime.block_on(cache.remove_many_async(&keys[..10])).unwrap(), 7);
    assert_eq!(cache.clear("spread:2").unwrap(), 1 + 10 + 100 + 500 - 2 + 2 - 1);
    assert_eq!(runtime.block_on(cache.clear_async("spread:")).unwrap(), 2500 - 10 - 610);
}

#[test]
fn a_hit_is_one_get_and_many_are_one_request_to_each_node() {
    let cluster = cluster();
    let cache = RedisCache::connect(cluster.url()).unwrap();
    let runtime = Runtime::new().unwrap();
    let keys = keys("once", 30);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for key in &keys {
        cache.set(key, b"value", None).unwrap();
        runtime.block_on(cache.get_async(key)).unwrap();
    }
    let others = ["cluster|slots", "ping", "client|info", "asking", "mget", "exists"];
    let before = (calls(&cluster, &["get"]), calls(&cluster, &others));
    for key in &keys {
        assert!(cache.get(key).unwrap().is_some());
        assert!(runtime.block_on(cache.get_async(key)).unwrap().is_some());
    }
    cache.get_many(&keys).unwrap();
    let after = (calls(&cluster, &["get"]), calls(&cluster, &others));
    assert_eq!((after.0 - before.0, after.1 - before.1), (90, 0));
    cache.clear("once:").unwrap();
}

/// Every operation on a slot of which some keys are here, some there, and some nowhere.
#[test]
fn a_slot_on_its_way_serves_every_operation() {
    let cluster = cluster();
    let cache = RedisCache::connect(cluster.url()).unwrap();
    let runtime = Runtime::new().unwrap();
    let key = |number: usize| format!("{{moving}}:{number}");
    for number in 0..20 {
        cache.set(&key(number), number.to_string().as_bytes(), Some(60 * SECOND)).unwrap();
    }
    let slot = cluster.slot("{moving}:0");
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    assert!(cluster.move_keys(slot, from, to, 10));

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
    cluster.end_move(slot, from, to);
    assert!(cache.add(all[0], b"at its new place", None).unwrap());
    assert!(runtime.block_on(cache.remove_async(all[0])).unwrap());
}

/// An entry and its tombstone are two keys of one slot, of which one may be here, the other there, and any nowhere.
#[test]
fn a_slot_on_its_way_takes_invalidations_and_what_is_stored() {
    let cluster = cluster();
    let cache = RedisCache::connect(cluster.url()).unwrap();
    let runtime = Runtime::new().unwrap();
    let keys: Vec<String> = (0..16).map(|number| format!("{{buried}}:{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, &[u8])> = keys[..12].iter().map(|key| (*key, &b"value"[..])).collect();
    cache.invalidate(&invalidation(&keys[..8])).unwrap();
    cache.set_many(&entries, None).unwrap();
    let slot = cluster.slot(keys[0]);
    let from = cluster.owner(slot);
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    assert!(cluster.move_keys(slot, from, to, 10));

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

    // What is stored depends on both in one step, so it waits until they are together.
    let patient = RedisCache::builder(cluster.url()).operation_timeout(20 * SECOND).build().unwrap();
    let refusals = || (0..3).map(|node| cluster.refusals(node, "TRYAGAIN")).sum::<u64>();
    let before = refusals();
    let (stale, fresh) = thread::scope(|scope| {
        let stale = scope.spawn(|| patient.store(keys[0], b"stale", None, latest));
        let fresh = scope.spawn(|| runtime.block_on(patient.store_async(keys[1], b"fresh", None, latest + 2)));
        assert!(eventually(|| refusals() > before + 40), "both are refused again and again");
        while cluster.move_keys(slot, from, to, 100) {}
        cluster.end_move(slot, from, to);
        (stale.join().unwrap().unwrap(), fresh.join().unwrap().unwrap())
    });
    assert_eq!((stale, fresh), (Stored::Refused { sequence: latest + 2 }, Stored::Stored));
    assert_eq!(cache.get(keys[0]).unwrap(), None);
    assert_eq!(cache.remove_many(&keys).unwrap(), 1);
}

/// Callers hammer some keys while their slots move around the cluster again and again. Each key has one writer, who
/// knows what must be read.
#[test]
fn slots_move_under_load() {
    const THREADS: u64 = 3;
    const TASKS: u64 = 8;
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
    let slowest = thread::scope(|scope| {
        let mut callers: Vec<_> = (0..THREADS).map(|caller| scope.spawn(move || blocking(caller))).collect();
        callers.push(scope.spawn(move || {
            let runtime = Runtime::new().unwrap();
            let tasks = (THREADS..THREADS + TASKS).map(task);
            runtime.block_on(join_all(tasks));
        }));
        let mut moves = 0;
        let begin = clock::now();
        while clock::now().since(begin) < 3 * SECOND {
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
    println!("{} calls, {slowest} moves", answered.load(Ordering::Relaxed));
    assert!(slowest >= 8 && answered.load(Ordering::Relaxed) > 1000);
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

/// Without a cluster's own waiting for its election: the replica is told to take over.
#[test]
fn a_replica_takes_over() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let mut cluster = TestCluster::start(3);
    cluster.add_replica(0);
    let cache = RedisCache::builder(cluster.url()).connect_timeout(TIMEOUT).operation_timeout(TIMEOUT).build().unwrap();
    let runtime = Runtime::new().unwrap();
    let mut at: BTreeMap<usize, String> = BTreeMap::new();
    for number in 0.. {
        let key = format!("over:{number}");
        at.entry(cluster.owner(cluster.slot(&key))).or_insert(key);
        if at.len() == 3 {
            break;
        }
    }
    let keys: Vec<&str> = at.values().map(String::as_str).collect();
    for key in &keys {
        cache.set(key, b"value", None).unwrap();
        runtime.block_on(cache.get_async(key)).unwrap();
    }
    replicated(&cluster.nodes[0], &cluster.nodes[3]);

    cluster.nodes[0].stop();
    for _ in 0..3 {
        let before = clock::now();
        assert_eq!(cache.get(keys[0]).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(cache.get_many(&keys).unwrap_err().kind(), ErrorKind::Unavailable);
        let error = runtime.block_on(cache.remove_async(keys[0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(clock::now().since(before) < 3 * 2 * TIMEOUT);
        assert!(cache.get(keys[1]).unwrap().is_some(), "the others are there");
    }
    redis::cmd("CLUSTER").arg("FAILOVER").arg("TAKEOVER").exec(&mut cluster.admin(3)).unwrap();
    let mut latest = None;
    let mut found = || {
        latest = Some(cache.get(keys[0]));
        matches!(latest, Some(Ok(Some(_))))
    };
    assert!(eventually(&mut found), "{latest:?}");
    assert!(runtime.block_on(cache.get_async(keys[0])).unwrap().is_some());
    assert!(cache.get_many(&keys).unwrap().iter().all(Option::is_some));
    assert_eq!(runtime.block_on(cache.remove_many_async(&keys)).unwrap(), 3);
}

#[test]
fn what_any_master_serves_is_asked_of_another_when_one_is_down() {
    let mut cluster = TestCluster::start(3);
    let cache = RedisCache::builder(cluster.url()).connect_timeout(SECOND).operation_timeout(SECOND).build().unwrap();
    let runtime = Runtime::new().unwrap();
    cache.publish(b"first").unwrap();
    runtime.block_on(cache.publish_async(b"first")).unwrap();
    let asked = (0..3).find(|node| calls_of(&cluster, *node, &["publish"]) > 0).unwrap();
    cluster.nodes[asked].stop();
    for _ in 0..3 {
        cache.publish(b"then").unwrap();
        runtime.block_on(cache.publish_async(b"then")).unwrap();
    }
}

/// Hears messages, and how often the bus was connected.
#[derive(Default)]
struct Ear {
    connected: AtomicU64,
    heard: Mutex<Vec<Vec<u8>>>,
}

impl Listener for Ear {
    fn connected(&self, _: &Snapshot) {
        self.connected.fetch_add(1, Ordering::Relaxed);
    }

    fn lost(&self) {}

    fn message(&self, bytes: &[u8]) {
        self.heard.lock().unwrap().push(bytes.to_vec());
    }
}

/// It lives on and answers, so that a listener's connection to it does not fail.
#[test]
fn a_listener_leaves_a_node_that_is_in_the_cluster_no_more() {
    let mut cluster = TestCluster::start(3);
    cluster.add_replica(0);
    let cache = RedisCache::connect(cluster.url()).unwrap();
    let ear = Arc::new(Ear::default());
    let _subscription = cache.subscribe(Arc::clone(&ear) as Arc<dyn Listener>).unwrap();
    assert!(eventually(|| ear.connected.load(Ordering::Relaxed) == 1));
    let listens = |node: usize| {
        let clients: String =
            redis::cmd("CLIENT").arg(&["LIST", "TYPE", "pubsub"]).query(&mut cluster.admin(node)).unwrap();
        !clients.is_empty()
    };
    assert!(listens(0), "at the first master");

    redis::cmd("CLUSTER").arg(&["FAILOVER", "TAKEOVER"]).exec(&mut cluster.admin(3)).unwrap();
    let mut old = cluster.admin(0);
    let is_replica = || {
        let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut old).unwrap();
        role[0] == redis::Value::BulkString(b"slave".into())
    };
    assert!(eventually(is_replica), "the old master follows the new one");
    redis::cmd("CLUSTER").arg("RESET").exec(&mut cluster.admin(0)).unwrap();
    let heard = eventually(|| {
        redis::cmd("PUBLISH").arg("memo!bus:1:0").arg("told").exec(&mut cluster.admin(1)).unwrap();
        ear.heard.lock().unwrap().contains(&b"told".to_vec())
    });
    assert!(heard, "what is told to the others");
    assert_eq!((ear.connected.load(Ordering::Relaxed), listens(0)), (2, false));
}

/// One asks where the nodes are, and all who want to know wait for that one.
#[test]
fn who_gives_up_asking_for_the_nodes_fails_nobody_else() {
    let cluster = cluster();
    let runtime = Runtime::new().unwrap();
    for _ in 0..10 {
        let cache = RedisCache::builder(cluster.url()).build().unwrap();
        let mut asks = cache.get_async("asked");
        let polled = runtime
            .block_on(std::future::poll_fn(|context| std::task::Poll::Ready(asks.as_mut().poll(context).is_ready())));
        assert!(!polled, "it waits for the answer");
        let other = thread::scope(|scope| {
            let other = scope.spawn(|| cache.get("asked"));
            thread::sleep(Duration::from_millis(3));
            drop(asks);
            other.join().unwrap()
        });
        assert_eq!(other.unwrap(), None);
    }
}

#[test]
fn what_is_no_cluster_is_told() {
    let cluster = cluster();
    let address = cluster.nodes[0].address();
    let single = RedisCache::connect(format!("redis://{address}/")).unwrap();
    let error = (0..50).find_map(|number| single.get(&format!("key:{number}")).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("redis+cluster://"), "{error}");

    let server = support::own_server();
    let error = RedisCache::connect(format!("redis+cluster://{}", server.address())).unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let error = RedisCache::builder(cluster.url()).database(1).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
