//! `RedisCache` when the server goes away, hangs, or an operation is given up.
#![cfg(all(feature = "redis-tokio", unix))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::invalidation::{Loaded, Stored};
use memo_core::{Cache, Error, ErrorKind, clock};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::proxy::Proxy;
use support::server::Server;
use support::{own_server, patient};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(500);

fn cache(server: &Server) -> RedisCache {
    RedisCache::builder(server.url()).connect_timeout(SHORT).operation_timeout(SHORT).build().unwrap()
}

/// Sends a signal to the server of this test alone.
fn signal(server: &Server, name: &str) {
    let pid = server.pid().expect("it runs").to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// The error, after no more than about the time of one connect and one operation; much more than the machine's other
/// work can add is a failure.
fn soon<T: std::fmt::Debug>(operation: impl FnOnce() -> Result<T, Error>) -> Error {
    let before = clock::now();
    let error = operation().unwrap_err();
    let took = clock::now().since(before);
    assert!(took < 10 * SHORT, "{took:?} for {error:?}");
    error
}

const LOADED: Loaded<'static> = Loaded { key: "key", bytes: b"value", timeout: None, since: 0 };

/// What all of them have in common.
fn each(results: Vec<Result<Stored, Error>>) -> Result<Stored, Error> {
    let kind = |result: &Result<Stored, Error>| result.as_ref().err().map(Error::kind);
    assert!(results.iter().all(|result| kind(result) == kind(&results[0])));
    results.into_iter().next().unwrap()
}

#[test]
fn a_server_that_comes_back_is_used_again() {
    let mut server = own_server();
    let cache = cache(&server);
    let runtime = Runtime::new().unwrap();
    // Each operation is the first one after a restart in its turn: none may fail.
    let operations: [(&str, &dyn Fn()); 8] = [
        ("get", &|| assert_eq!(cache.get("key").unwrap(), None)),
        ("set", &|| cache.set("key", b"value", None).unwrap()),
        ("add", &|| assert!(cache.add("key", b"value", None).unwrap())),
        ("remove", &|| assert!(!cache.remove("key").unwrap())),
        ("get_async", &|| assert_eq!(runtime.block_on(cache.get_async("key")).unwrap(), None)),
        ("set_async", &|| runtime.block_on(cache.set_async("key", b"value", None)).unwrap()),
        ("add_async", &|| assert!(runtime.block_on(cache.add_async("key", b"value", None)).unwrap())),
        ("increment_async", &|| assert_eq!(runtime.block_on(cache.increment_async("key", 7, None)).unwrap(), 7)),
    ];
    for (name, operation) in operations {
        println!("{name}");
        cache.get("other").unwrap();
        runtime.block_on(cache.get_async("other")).unwrap();
        server.restart().unwrap();
        operation();
    }
}

#[test]
fn a_server_that_is_down_is_an_error_at_once() {
    let mut server = own_server();
    let cache = cache(&server);
    let runtime = Runtime::new().unwrap();
    cache.set("key", b"value", None).unwrap();
    runtime.block_on(cache.get_async("key")).unwrap();
    server.stop();

    for _ in 0..3 {
        for error in [
            soon(|| cache.get("key")),
            soon(|| cache.remove("key")),
            soon(|| cache.set_many(&[("key", b"value")], None)),
            soon(|| each(cache.store_many(&[LOADED; 2]))),
            soon(|| runtime.block_on(cache.get_async("key"))),
            soon(|| each(runtime.block_on(cache.store_many_async(&[LOADED; 2])))),
            soon(|| runtime.block_on(cache.add_async("key", b"value", None))),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.is_retryable());
        }
    }
    assert_eq!(soon(|| RedisCache::connect(server.url())).kind(), ErrorKind::Unavailable);

    server.restart().unwrap();
    assert!(cache.add("key", b"value", None).unwrap());
    assert!(runtime.block_on(cache.get_async("key")).unwrap().is_some());
}

#[test]
fn a_server_that_hangs_is_a_timeout_and_works_after_it() {
    let server = own_server();
    let cache = cache(&server);
    let runtime = Runtime::new().unwrap();
    let entries: Vec<(&str, &[u8])> = vec![("key", b"value"); 500];
    cache.set("key", b"value", None).unwrap();
    runtime.block_on(cache.get_async("key")).unwrap();

    signal(&server, "-STOP");
    for _ in 0..2 {
        for error in [
            soon(|| cache.get("key")),
            soon(|| cache.set_many(&entries, None)),
            // Many requests, of which one is waited for.
            soon(|| each(cache.store_many(&vec![LOADED; 20_000]))),
            soon(|| cache.remove("key")),
            soon(|| runtime.block_on(cache.get_async("key"))),
            soon(|| runtime.block_on(cache.remove_async("key"))),
        ] {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        }
    }
    let many = async {
        let each = (0..50).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get_async("key").await })
        });
        for task in each.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
        }
        Err::<(), _>(Error::new(ErrorKind::Timeout, "all of them"))
    };
    soon(|| runtime.block_on(many));
    signal(&server, "-CONT");

    assert!(cache.get("key").unwrap().is_some());
    assert!(runtime.block_on(cache.remove_async("key")).unwrap());
}

/// One connection has one timer. Here are ends that it has to be set to anew: of requests that can't be written any more,
/// and after all that waited before them have ended.
#[test]
fn each_task_waits_for_its_own_time_also_where_nothing_can_be_written() {
    let server = own_server();
    let cache = cache(&server);
    let runtime = Runtime::new().unwrap();
    let large: Arc<[u8]> = vec![7; 32 << 20].into();
    runtime.block_on(async {
        cache.get_async("key").await.unwrap();
        signal(&server, "-STOP");
        let timed = |then: Duration| {
            let (cache, large) = (cache.clone(), Arc::clone(&large));
            tokio::spawn(async move {
                tokio::time::sleep(then).await;
                let before = clock::now();
                // The first fills what the system takes for a server that does not read, the others wait behind it.
                let error = match then {
                    Duration::ZERO => cache.set_async("large", &large, None).await.unwrap_err(),
                    _ => cache.get_async("key").await.unwrap_err(),
                };
                (error.kind(), clock::now().since(before))
            })
        };
        let tasks: Vec<_> = (0..10).map(|tenth| timed(SHORT * tenth / 10)).collect();
        for task in tasks {
            let (kind, took) = timeout(20 * SHORT, task).await.expect("its wait ends").unwrap();
            assert_eq!(kind, ErrorKind::Timeout);
            assert!(took > SHORT * 4 / 5 && took < 10 * SHORT, "{took:?}");
        }
        signal(&server, "-CONT");
        assert_eq!(cache.get_async("key").await.unwrap(), None);
    });
}

#[test]
fn a_primary_that_became_a_replica_is_looked_up_again() {
    let server = own_server();
    let cache = cache(&server);
    let runtime = Runtime::new().unwrap();
    let mut admin = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    cache.set("key", b"value", None).unwrap();
    runtime.block_on(cache.get_async("key")).unwrap();
    let connections = |admin: &mut redis::Connection| -> u64 {
        let info: String = redis::cmd("INFO").arg("stats").query(admin).unwrap();
        info.lines().find_map(|line| line.strip_prefix("total_connections_received:")?.parse().ok()).unwrap()
    };

    redis::cmd("REPLICAOF").arg("127.0.0.1").arg("1").exec(&mut admin).unwrap();
    let before = connections(&mut admin);
    for _ in 0..2 {
        assert_eq!(cache.set("key", b"value", None).unwrap_err().kind(), ErrorKind::Unavailable);
        let error = runtime.block_on(cache.set_async("key", b"value", None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(connections(&mut admin) - before, 2);

    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut admin).unwrap();
    cache.set("key", b"value", None).unwrap();
}

#[derive(Clone, Copy)]
enum GiveUp {
    AsyncDrop,
    AsyncTimeout,
    BlockingTimeout,
}

fn remove_blocking(cache: &RedisCache, _: &Runtime) -> Result<bool, Error> {
    cache.remove("key")
}

fn remove_async(cache: &RedisCache, runtime: &Runtime) -> Result<bool, Error> {
    runtime.block_on(cache.remove_async("key"))
}

fn remove_on_another_runtime(cache: &RedisCache, _: &Runtime) -> Result<bool, Error> {
    Runtime::new().unwrap().block_on(cache.remove_async("key"))
}

/// Gives up a write of `old` that is still on its way, removes the key, and lets the write arrive after that: it must
/// not bring the value back. Each case begins without connections, so that the removal needs one that is not held.
fn stays_removed(give_up: GiveUp, remove: fn(&RedisCache, &Runtime) -> Result<bool, Error>) {
    let server = own_server();
    let proxy = Proxy::start(server.address()).unwrap();
    let direct = patient(RedisCache::builder(server.url()));
    let runtime = Runtime::new().unwrap();
    for round in 0..5 {
        let builder = RedisCache::builder(proxy.url());
        let cache = match give_up {
            GiveUp::AsyncDrop => patient(builder),
            _ => builder.connect_timeout(SHORT).operation_timeout(SHORT).build().unwrap(),
        };
        direct.set("key", b"new", None).unwrap();
        match give_up {
            GiveUp::BlockingTimeout => drop(cache.get("key").unwrap()),
            GiveUp::AsyncDrop | GiveUp::AsyncTimeout => drop(runtime.block_on(cache.get_async("key")).unwrap()),
        }
        proxy.hold();
        match give_up {
            GiveUp::AsyncDrop => drop_a_set(&cache, &runtime),
            GiveUp::BlockingTimeout => {
                assert_eq!(cache.set("key", b"old", None).unwrap_err().kind(), ErrorKind::Timeout);
            }
            GiveUp::AsyncTimeout => {
                let error = runtime.block_on(cache.set_async("key", b"old", None)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Timeout);
            }
        }
        assert!(remove(&cache, &runtime).unwrap(), "round {round}");
        proxy.release();
        // Far longer than bytes need from one end of this machine to the other.
        for _ in 0..50 {
            assert_eq!(direct.get("key").unwrap(), None, "round {round}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// As [`stays_removed`] for a connection that is used on: there the order is the server's to keep.
#[test]
fn a_dropped_write_does_not_undo_a_removal() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let runtime = Runtime::new().unwrap();
    for round in 0..10 {
        runtime.block_on(cache.set_async("key", b"new", None)).unwrap();
        signal(&server, "-STOP");
        drop_a_set(&cache, &runtime);
        signal(&server, "-CONT");
        assert!(runtime.block_on(cache.remove_async("key")).unwrap());
        for _ in 0..50 {
            assert_eq!(cache.get("key").unwrap(), None, "round {round}");
        }
    }
}

/// By a cache that is patient: whoever drops it is quicker than its own time.
fn drop_a_set(cache: &RedisCache, runtime: &Runtime) {
    let set = async { timeout(SHORT / 3, cache.set_async("key", b"old", None)).await };
    let ended = runtime.block_on(set);
    assert!(ended.is_err(), "it was to be dropped while it waits: {ended:?}");
}

#[test]
fn a_dropped_write_does_not_undo_a_removal_on_another_connection() {
    stays_removed(GiveUp::AsyncDrop, remove_blocking);
    stays_removed(GiveUp::AsyncDrop, remove_on_another_runtime);
}

#[test]
fn a_write_that_timed_out_does_not_undo_a_removal() {
    stays_removed(GiveUp::BlockingTimeout, remove_blocking);
    stays_removed(GiveUp::BlockingTimeout, remove_async);
}

#[test]
fn an_async_write_that_timed_out_does_not_undo_a_removal() {
    stays_removed(GiveUp::AsyncTimeout, remove_async);
    stays_removed(GiveUp::AsyncTimeout, remove_blocking);
}
