//! `RedisCache` on a healthy server.
#![cfg(feature = "redis-tokio")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::testing::conformance;
use memo_core::{Cache, ErrorKind, Found, TimeToLive, Want};
use std::collections::HashSet;
use std::error::Error as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::{eventually, own_server, patient, shared_url};
use tokio::runtime::Runtime;

const SECOND: Duration = Duration::from_secs(1);

fn cache(database: u8) -> RedisCache {
    patient(RedisCache::builder(shared_url(database)))
}

/// How often the server ran each command since its start.
fn calls(url: &str) -> impl Fn(&str) -> u64 + use<> {
    let client = redis::Client::open(url).expect("an address");
    let mut connection = client.get_connection().expect("the server answers");
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).expect("statistics");
    move |command| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    }
}

#[test]
fn the_contract_holds_on_tokio() {
    let cache: Arc<dyn Cache> = Arc::new(cache(1));
    let runtime = Runtime::new().unwrap();
    conformance::check(&cache, &mut thread::sleep, &|future| runtime.block_on(future));
}

#[test]
fn the_contract_holds_without_a_runtime() {
    let cache: Arc<dyn Cache> = Arc::new(cache(2));
    conformance::check(&cache, &mut thread::sleep, &conformance::block_on);
}

#[test]
fn a_hit_is_one_get_and_nothing_else() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    cache.set("key", b"value", None).unwrap();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(cache.get_async("key")).unwrap();

    let before = calls(&server.url());
    for _ in 0..100 {
        assert!(cache.get("key").unwrap().is_some());
        cache.read("key", Want::Bytes, &mut |found| assert_eq!(found.bytes, b"value")).unwrap();
        assert!(runtime.block_on(cache.get_async("key")).unwrap().is_some());
    }
    let after = calls(&server.url());

    assert_eq!(after("get") - before("get"), 300);
    for command in ["ping", "client|info", "select", "multi", "pttl", "exists"] {
        assert_eq!(after(command), before(command), "{command}");
    }
}

/// Many tasks read at once. What is seldom needed is apart, so that the future of a read stays with what the system's
/// allocator has at hand for each thread: up to 1,032 bytes.
#[test]
fn the_future_of_a_read_is_small() {
    let cache = cache(1);
    assert!(size_of_val(&*cache.read_async("key", Want::Bytes)) <= 1032);
    assert!(size_of_val(&*cache.get_async("key")) <= 1032);
}

#[test]
fn the_time_left_comes_with_the_bytes() {
    let cache = cache(3);
    cache.set("limited", b"a", Some(Duration::from_secs(100))).unwrap();
    cache.set("unlimited", b"b", None).unwrap();
    let runtime = Runtime::new().unwrap();

    let limited = runtime.block_on(cache.read_async("limited", Want::BytesAndTimeToLive)).unwrap().unwrap();
    let TimeToLive::Left(left) = limited.time_to_live else { panic!("{limited:?}") };
    assert!(left > 90 * SECOND && left <= 100 * SECOND, "{left:?}");
    let mut seen = 0;
    let mut look = |found: Found<&[u8]>| {
        assert_eq!(found, Found { bytes: &b"b"[..], time_to_live: TimeToLive::Forever });
        seen += 1;
    };
    cache.read("unlimited", Want::BytesAndTimeToLive, &mut look).unwrap();
    cache.read("missing", Want::BytesAndTimeToLive, &mut look).unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn a_scan_takes_the_prefix_literally() {
    let cache = cache(4);
    let keys = ["a*b:1", "a?b:1", "a[x]b:1", r"a\b:1", "axb:1", "a^b:1", "ä:1"];
    for key in keys {
        cache.set(key, b"", None).unwrap();
    }
    for key in keys {
        let prefix = key.strip_suffix('1').unwrap();
        let mut found = HashSet::new();
        cache.scan(prefix, &mut |key| found.extend([key.to_owned()])).unwrap();
        assert_eq!(found, HashSet::from([key.to_owned()]));
    }
    assert_eq!(cache.clear("").unwrap(), keys.len() as u64);
}

#[test]
fn many_entries_take_few_requests() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let keys: Vec<String> = (0..2500).map(|number| format!("many:{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (*key, key.as_bytes())).collect();

    cache.set_many(&entries, Some(60 * SECOND)).unwrap();
    let found = cache.get_many(&keys).unwrap();
    assert!(found.iter().zip(&keys).all(|(found, key)| found.as_deref() == Some(key.as_bytes())));
    assert_eq!(cache.get_many(&[]).unwrap(), []);
    assert_eq!(cache.remove_many(&[]).unwrap(), 0);
    assert_eq!(cache.remove_many(&[keys[0], keys[1], keys[0]]).unwrap(), 2);
    assert_eq!(cache.clear("many:").unwrap(), 2498);

    let calls = calls(&server.url());
    assert_eq!(calls("mget"), 3);
    assert!(calls("unlink") <= 12, "{}", calls("unlink"));
    assert_eq!(calls("keys") + calls("del"), 0);
}

#[test]
fn a_failed_increment_changes_nothing() {
    let cache = cache(5);
    cache.set("word", b"seven", None).unwrap();
    cache.set("full", i64::MAX.to_string().as_bytes(), None).unwrap();
    for key in ["word", "full"] {
        let before = cache.get(key).unwrap();
        assert_eq!(cache.increment(key, 1, Some(SECOND)).unwrap_err().kind(), ErrorKind::Backend);
        assert_eq!(cache.get(key).unwrap(), before);
        let mut left = None;
        cache.read(key, Want::BytesAndTimeToLive, &mut |found| left = Some(found.time_to_live)).unwrap();
        assert_eq!(left, Some(TimeToLive::Forever));
    }
}

#[test]
fn threads_beyond_the_pool_wait_for_a_connection() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()).pool_size(4));
    thread::scope(|scope| {
        for thread in 0..64 {
            let cache = &cache;
            scope.spawn(move || {
                for _ in 0..50 {
                    cache.increment("count", 1, None).unwrap();
                    let key = format!("thread:{thread}");
                    cache.set(&key, key.as_bytes(), None).unwrap();
                    assert_eq!(cache.get(&key).unwrap().unwrap(), key.as_bytes());
                }
            });
        }
    });
    assert_eq!(cache.increment("count", 0, None).unwrap(), 64 * 50);
    // One connection asks, at most four are ours.
    assert!(calls(&server.url())("client|info") <= 4);
}

#[test]
fn runtimes_one_after_the_other_and_side_by_side() {
    let cache = cache(6);
    for round in 0..5 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(cache.set_async("round", format!("{round}").as_bytes(), None)).unwrap();
        let other = Runtime::new().unwrap();
        let found = other.block_on(cache.get_async("round")).unwrap().unwrap();
        assert_eq!(found, format!("{round}").into_bytes());
        assert!(runtime.block_on(cache.remove_async("round")).unwrap());
    }
}

#[test]
fn a_runtime_that_ends_takes_its_connection_with_it() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    for _ in 0..20 {
        Runtime::new().unwrap().block_on(cache.get_async("key")).unwrap();
    }
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    // The server notices a closed connection a moment later.
    assert!(eventually(|| {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
        list.lines().count() == 1
    }));
}

#[test]
fn nothing_shows_a_secret() {
    let url = "redis://horst:geheim@127.0.0.1:1/2";
    let builder = RedisCache::builder(url);
    let mut texts = vec![format!("{builder:?}")];
    let cache = builder.build().unwrap();
    texts.push(format!("{cache:?}"));
    let error = cache.get("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    texts.extend([format!("{error} {error:?}"), format!("{:?}", RedisCache::connect(url).unwrap_err())]);
    for wrong in [
        "redis://horst:gehe/im@host:6379/0",
        "redis://:geheim@host/geheim",
        "redis://host/?protocol=geheim",
        "redis+cluster://:geheim@host/geheim",
        "redis+sentinel://:geheim@host/?sentinel_password=geheim",
        "geheim",
    ] {
        let error = RedisCache::connect(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        texts.push(format!("{error} {error:?} {:?}", error.source()));
    }
    for text in texts {
        assert!(!text.contains("gehe"), "{text}");
    }
}

/// A server that repeats what it was sent, as Redis does with a command that it does not know.
#[test]
fn a_refused_password_is_not_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let refusal = "-ERR unknown command 'AUTH', with args beginning with: 'geheim'\r\n";
        let _ = stream.write_all(refusal.repeat(2).as_bytes());
        let _ = stream.read(&mut [0; 1024]);
    });
    let error = RedisCache::connect(format!("redis://:geheim@127.0.0.1:{port}/")).unwrap_err();
    let text = format!("{error} {error:?} {:?}", error.source());
    assert!(!text.contains("geheim"), "{text}");
}

#[test]
fn bad_settings_are_told_at_build() {
    let url = "redis://127.0.0.1/";
    for builder in [
        RedisCache::builder(url).pool_size(0),
        RedisCache::builder(url).operation_timeout(Duration::ZERO),
        RedisCache::builder(url).connect_timeout(Duration::ZERO),
        RedisCache::builder("redis://0.0.0.0/"),
    ] {
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::Config);
    }
}

#[test]
fn a_password_and_a_database_are_used() {
    let server = own_server();
    let admin = redis::Client::open(server.url()).unwrap();
    let mut admin = admin.get_connection().unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("s3 cret/").exec(&mut admin).unwrap();

    let address = server.address();
    let cache = patient(RedisCache::builder(format!("redis://:s3%20cret%2F@{address}/3")));
    cache.set("key", b"value", None).unwrap();
    let runtime = Runtime::new().unwrap();
    assert!(runtime.block_on(cache.get_async("key")).unwrap().is_some());
    redis::cmd("SELECT").arg(3).exec(&mut admin).unwrap();
    assert!(redis::cmd("EXISTS").arg("key").query::<bool>(&mut admin).unwrap());

    for wrong in [format!("redis://{address}/"), format!("redis://:other@{address}/")] {
        let error = RedisCache::connect(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    }
}
