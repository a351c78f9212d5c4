//! `RedisCache` on a Redis Cluster.
#![cfg(feature = "redis-tokio")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::bus::{Listener, Snapshot};
use memo_core::testing::conformance;
use memo_core::{Cache, ErrorKind, clock};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;
use support::cluster::TestCluster;
use support::{eventually, patient, replicated};
use tokio::runtime::Runtime;

const SECOND: Duration = Duration::from_secs(1);

/// Three masters that the tests use in turns: some empty it.
fn cluster() -> MutexGuard<'static, TestCluster> {
    static CLUSTER: OnceLock<Mutex<TestCluster>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Mutex::new(TestCluster::start(3)));
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often all nodes ran these commands since their start.
fn calls(cluster: &TestCluster, commands: &[&str]) -> u64 {
    commands.iter().map(|command| cluster.all_calls(command)).sum()
}

fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}:{number}")).collect()
}

#[test]
fn the_contract_holds_on_tokio() {
    let cluster = cluster();
    let cache: Arc<dyn Cache> = Arc::new(patient(RedisCache::builder(cluster.url())));
    let runtime = Runtime::new().unwrap();
    conformance::check(&cache, &mut thread::sleep, &|future| runtime.block_on(future));
}

#[test]
fn the_contract_holds_without_a_runtime() {
    let cluster = cluster();
    // One node is enough to find the others.
    let first = cluster.nodes[1].address().to_string();
    let cache: Arc<dyn Cache> = Arc::new(patient(RedisCache::cluster([first])));
    conformance::check(&cache, &mut thread::sleep, &conformance::block_on);
}

#[test]
fn keys_are_on_every_node_and_found_again() {
    let cluster = cluster();
    let cache = patient(RedisCache::builder(cluster.url()));
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
    let cache = patient(RedisCache::builder(cluster.url()));
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

/// Without a cluster's own waiting for its election: the replica is told to take over.
#[test]
fn a_replica_takes_over() {
    const TIMEOUT: Duration = Duration::from_secs(2);
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
    let cache = patient(RedisCache::builder(cluster.url()));
    let runtime = Runtime::new().unwrap();
    cache.publish(b"first").unwrap();
    runtime.block_on(cache.publish_async(b"first")).unwrap();
    let asked = (0..3).find(|node| cluster.calls(*node, "publish") > 0).unwrap();
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
    let cache = patient(RedisCache::builder(cluster.url()));
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
    // It has no thread beside this one that could see the answer before the first poll has ended.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..10 {
        let cache = patient(RedisCache::builder(cluster.url()));
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
    let single = patient(RedisCache::builder(format!("redis://{address}/")));
    let error = (0..50).find_map(|number| single.get(&format!("key:{number}")).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("redis+cluster://"), "{error}");

    let server = support::own_server();
    let error = patient(RedisCache::builder(format!("redis+cluster://{}", server.address()))).get("key").unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let error = RedisCache::builder(cluster.url()).database(1).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
