//! `RedisCache` and values that are stored together, each on a condition of its own.
#![cfg(feature = "redis-tokio")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::invalidation::{Invalidation, Loaded, Stored};
use memo_core::{Cache, Error, ErrorKind};
use std::time::Duration;
use support::cluster::TestCluster;
use support::{admin, own_server, patient};
use tokio::runtime::Runtime;

type Stores = Vec<Result<Stored, Error>>;

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("memo:{number}")).collect()
}

fn loaded(keys: &[String]) -> Vec<Loaded<'_>> {
    keys.iter().map(|key| Loaded { key, bytes: key.as_bytes(), timeout: None, since: 0 }).collect()
}

fn all_stored(results: &Stores) -> bool {
    results.iter().all(|result| matches!(result, Ok(Stored::Stored)))
}

type StoreMany = Box<dyn Fn(&RedisCache, &[Loaded<'_>]) -> Stores>;

/// Both doors.
fn doors() -> [StoreMany; 2] {
    let runtime = Runtime::new().unwrap();
    [
        Box::new(RedisCache::store_many),
        Box::new(move |cache, entries| runtime.block_on(cache.store_many_async(entries))),
    ]
}

/// How often a command was run.
fn calls(connection: &mut redis::Connection, command: &str) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query(connection).unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

fn forget_scripts(connection: &mut redis::Connection) {
    redis::cmd("SCRIPT").arg("FLUSH").exec(connection).unwrap();
}

#[test]
fn a_server_that_forgot_the_script_is_told_it_once() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let (keys, mut connection) = (keys(1_500), admin(&server));
    let entries = loaded(&keys);
    for store_many in doors() {
        forget_scripts(&mut connection);
        let before = calls(&mut connection, "eval");
        assert!(all_stored(&store_many(&cache, &entries)));
        let told = calls(&mut connection, "eval") - before;
        assert!((1..=1_000).contains(&told), "the second request finds it there: {told}");
        assert!(all_stored(&store_many(&cache, &entries)));
        assert_eq!(calls(&mut connection, "eval") - before, told, "by name from there on");
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = cache.get_many(&names).unwrap();
        assert!(found.iter().zip(&keys).all(|(found, key)| found.as_deref() == Some(key.as_bytes())));
        assert_eq!(cache.clear("").unwrap(), 1_500);
    }
}

/// What is under the name of its tombstone is none, so the script fails for that key.
#[test]
fn one_that_fails_keeps_no_other_out() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let keys = keys(5);
    let keep = Duration::from_secs(60);
    let what = Invalidation { keys: &[&keys[1]], keep, ..Invalidation::default() };
    let sequence = cache.invalidate(&what).unwrap().sequence;
    redis::cmd("RPUSH").arg(format!("memo!t:{{{}}}", keys[3])).arg("no number").exec(&mut admin(&server)).unwrap();
    for store_many in doors() {
        let results = store_many(&cache, &loaded(&keys));
        for (at, result) in results.iter().enumerate() {
            match at {
                1 => assert_eq!(*result.as_ref().unwrap(), Stored::Refused { sequence }),
                3 => {
                    let error = result.as_ref().unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Backend, "{error:?}");
                    assert!(error.to_string().contains(&keys[3]), "{error}");
                }
                _ => assert_eq!(*result.as_ref().unwrap(), Stored::Stored),
            }
        }
        assert_eq!(cache.clear("").unwrap(), 3);
    }
}

#[test]
fn a_server_that_is_full_refuses_each() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let keys = keys(3);
    assert!(all_stored(&cache.store_many(&loaded(&keys))));
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").exec(&mut admin(&server)).unwrap();
    for store_many in doors() {
        let results = store_many(&cache, &loaded(&keys));
        assert_eq!(results.len(), 3);
        assert!(results.iter().all(|result| result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Full)));
    }
}

/// The nodes learn the script each for itself, and a node that is gone fails what is its own.
#[test]
fn nodes_of_a_cluster_are_asked_side_by_side() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let mut cluster = TestCluster::start(3);
    let cache = RedisCache::builder(cluster.url()).connect_timeout(TIMEOUT).operation_timeout(TIMEOUT).build().unwrap();
    let keys = keys(2_500);
    let entries = loaded(&keys);
    for store_many in doors() {
        forget_scripts(&mut cluster.admin(1));
        assert!(all_stored(&store_many(&cache, &entries)));
        assert_eq!(cache.clear("").unwrap(), 2_500);
    }
    let owners: Vec<usize> = keys[..300].iter().map(|key| cluster.owner(cluster.slot(key))).collect();
    cluster.nodes[0].stop();
    for store_many in doors() {
        let results = store_many(&cache, &entries[..300]);
        for ((result, owner), key) in results.iter().zip(&owners).zip(&keys) {
            match owner {
                0 => assert!(result.as_ref().is_err_and(Error::is_retryable), "{key}: {result:?}"),
                _ => assert_eq!(*result.as_ref().unwrap(), Stored::Stored, "{key}"),
            }
        }
    }
}
