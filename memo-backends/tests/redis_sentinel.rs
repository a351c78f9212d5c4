//! `RedisCache` on a master that sentinels watch, and that fails.
#![cfg(all(feature = "redis-tokio", unix))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::{Cache, Error, ErrorKind, clock};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use support::sentinel::{MASTER, Watched};
use support::{admin, both_doors, eventually, patient, replicated, server_with};
use tokio::runtime::Runtime;

const TIMEOUT: Duration = Duration::from_secs(1);

/// Both timeouts, and what a busy machine may add.
const LONGEST: Duration = Duration::from_millis(2 * 1_000 + 1_900);

fn timed<T>(operation: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let before = clock::now();
    let result = operation();
    let took = clock::now().since(before);
    assert!(took < LONGEST, "{took:?}");
    result
}

/// One master's life: the contract, its death under load, and its return as a replica.
#[test]
fn operations_come_back_after_a_failover() {
    let mut watched = Watched::start(2);
    let cache = RedisCache::builder(watched.url()).connect_timeout(TIMEOUT).operation_timeout(TIMEOUT).build().unwrap();
    let runtime = Runtime::new().unwrap();
    let other = |database: u32| patient(RedisCache::builder(watched.url()).database(database));
    both_doors(other(1), other(2));
    cache.set("stays", b"value", None).unwrap();
    replicated(&watched.servers[0], &watched.servers[1]);

    let (stop, failed, answered) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (cache, stop, failed, answered) = (&cache, &stop, &failed, &answered);
    // An operation fails in time or succeeds, and a key that is there is there whenever it can be asked for.
    let fails = |error: Error| {
        assert!(error.is_retryable(), "{error:?}");
        failed.fetch_add(1, Ordering::Relaxed);
    };
    thread::scope(|scope| {
        for caller in 0..2 {
            scope.spawn(move || {
                let key = format!("caller:{caller}");
                while !stop.load(Ordering::Relaxed) {
                    match timed(|| cache.get("stays")) {
                        Ok(found) => assert_eq!(found.as_deref(), Some(&b"value"[..])),
                        Err(error) => fails(error),
                    }
                    timed(|| cache.set(&key, b"1", None)).unwrap_or_else(fails);
                    answered.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        scope.spawn(move || {
            let runtime = Runtime::new().unwrap();
            while !stop.load(Ordering::Relaxed) {
                match timed(|| runtime.block_on(cache.get_async("stays"))) {
                    Ok(found) => assert_eq!(found.as_deref(), Some(&b"value"[..])),
                    Err(error) => fails(error),
                }
                timed(|| runtime.block_on(cache.increment_async("count", 1, None))).map_or_else(fails, drop);
                answered.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        });
        assert!(eventually(|| answered.load(Ordering::Relaxed) > 60), "the callers are at it");
        assert_eq!(failed.load(Ordering::Relaxed), 0);
        watched.servers[0].stop();
        let back = eventually(|| timed(|| cache.set("back", b"value", None)).is_ok());
        stop.store(true, Ordering::Relaxed);
        assert!(back, "the sentinels make the replica the master");
    });
    assert!(failed.load(Ordering::Relaxed) > 0);
    println!("{} operations failed meanwhile", failed.load(Ordering::Relaxed));
    assert!(runtime.block_on(cache.get_async("back")).unwrap().is_some());
    assert!(cache.get("stays").unwrap().is_some());

    // The old master comes back as one, until the sentinels make it a replica: nobody asks it.
    watched.servers[0].restart().unwrap();
    for _ in 0..20 {
        assert!(cache.get("stays").unwrap().is_some());
        assert!(cache.remove("back").unwrap() && cache.add("back", b"value", None).unwrap());
    }
}

/// A failover by hand: both servers live on, and clients are thrown out of the old master.
#[test]
fn a_master_that_steps_down_is_left() {
    let watched = Watched::start(1);
    let mut sentinel = admin(&watched.sentinels[0]);
    redis::cmd("ACL").arg(&["SETUSER", "default", "resetpass", ">s3ntinel"]).exec(&mut sentinel).unwrap();
    let wrong = patient(RedisCache::builder(watched.url())).get("key").unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Config, "the sentinels ask for a password: {wrong:?}");
    assert!(wrong.to_string().contains(&watched.nodes()[0]), "{wrong}");

    let down = server_with(&[]).address().to_string();
    let cache = RedisCache::sentinel(MASTER, [down, watched.nodes()[0].clone()]);
    let cache = patient(cache.sentinel_password("s3ntinel").database(3));
    let runtime = Runtime::new().unwrap();
    cache.set("key", b"value", None).unwrap();
    assert!(runtime.block_on(cache.get_async("key")).unwrap().is_some());
    replicated(&watched.servers[0], &watched.servers[1]);

    watched.fail_over(&mut sentinel);
    for number in 0..3 {
        cache.set("key", format!("{number}").as_bytes(), None).unwrap();
        assert_eq!(runtime.block_on(cache.get_async("key")).unwrap().unwrap(), format!("{number}").as_bytes());
    }
    let mut new = admin(&watched.servers[1]);
    redis::cmd("SELECT").arg(3).exec(&mut new).unwrap();
    let found: String = redis::cmd("GET").arg("key").query(&mut new).unwrap();
    assert_eq!(found, "2");

    let nobody = patient(RedisCache::sentinel("nobody", watched.nodes()).sentinel_password("s3ntinel"));
    let error = nobody.get("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let url = format!("redis+sentinel://{}/{MASTER}/3?sentinel_password=s3ntinel", watched.nodes()[0]);
    let cache = patient(RedisCache::builder(url));
    assert!(!format!("{cache:?}").contains("s3ntinel"));
    assert!(cache.remove("key").unwrap());
}

/// Where a scan stands is a place in the table of one server, and another has its keys elsewhere.
#[test]
fn a_scan_that_meets_a_failover_misses_no_key() {
    const KEYS: usize = 6_000;
    let watched = Watched::start(1);
    let cache = patient(RedisCache::builder(watched.url()));
    let keys: Vec<String> = (0..KEYS).map(|number| format!("key:{number}")).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), &b"value"[..])).collect();
    cache.set_many(&entries, None).unwrap();
    replicated(&watched.servers[0], &watched.servers[1]);
    let mut seen = HashSet::new();
    cache
        .scan("key:", &mut |key| {
            if seen.is_empty() {
                watched.fail_over(&mut admin(&watched.sentinels[0]));
            }
            seen.insert(key.to_owned());
        })
        .unwrap();
    assert_eq!(seen.len(), KEYS);
    assert_eq!(cache.clear("key:").unwrap(), KEYS as u64);
}

#[test]
fn sentinels_that_are_down_are_an_error_in_time() {
    let hangs = server_with(&[]);
    let pid = hangs.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let cache = RedisCache::sentinel(MASTER, ["127.0.0.1:1".to_owned(), hangs.address().to_string()]);
    let cache = cache.connect_timeout(TIMEOUT).operation_timeout(TIMEOUT).build().unwrap();
    let runtime = Runtime::new().unwrap();
    for error in [
        timed(|| cache.get("key")).unwrap_err(),
        timed(|| runtime.block_on(cache.set_async("key", b"value", None))).unwrap_err(),
    ] {
        assert!(error.is_retryable(), "{error:?}");
    }
}
