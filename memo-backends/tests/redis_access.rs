//! Ways to a server: TLS, users and their permissions, Unix sockets, databases.
#![cfg(all(feature = "redis-tls", feature = "redis-tokio", unix))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::bus::{Listener, Snapshot};
use memo_core::invalidation::{Invalidation, Stored};
use memo_core::{Cache, Error, ErrorKind, Want, clock};
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::cluster::TestCluster;
use support::tls::{Authority, Pair};
use support::{admin, both_doors, eventually, own_server, patient, server_with};
use tokio::runtime::Runtime;

/// Where the guide says what a user needs.
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/guide/shared_level.md");

/// The rules of the user in the guide, without name and password.
fn permissions() -> Vec<String> {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let (_, user) = guide.split_once("user memo on >password ").unwrap();
    let (rules, _) = user.split_once("```").unwrap();
    rules.split_whitespace().map(str::to_owned).collect()
}

/// Hears of the subscription's begin, and of messages.
#[derive(Default)]
struct Ear {
    connected: AtomicBool,
    heard: AtomicBool,
}

impl Listener for Ear {
    fn connected(&self, _: &Snapshot) {
        self.connected.store(true, Ordering::Relaxed);
    }

    fn lost(&self) {}

    fn message(&self, bytes: &[u8]) {
        self.heard.fetch_or(bytes == b"woken", Ordering::Relaxed);
    }
}

/// A write that is given up makes the next operation close its connection.
fn give_up(cache: &RedisCache, runtime: &Runtime) {
    let given_up = (0..100).any(|_| {
        runtime.block_on(async {
            let mut set = cache.set_async("memo:a", b"given up", None);
            // A server that answers within the first poll leaves nothing to give up.
            std::future::poll_fn(|context| std::task::Poll::Ready(set.as_mut().poll(context).is_pending())).await
        })
    });
    assert!(given_up, "each of 100 writes was answered at its first poll");
}

/// All that functions, buckets and the bus do with a cache.
fn exercise(cache: &RedisCache, runtime: &Runtime, is_refused: &mut dyn FnMut() -> bool) -> Result<(), Error> {
    let minute = Some(Duration::from_secs(60));
    let (key, number, lease) = ("memo:f:0:a", "memo:number", "memo!lease:memo:f:0:a");
    // A function: what is known, the lease of a fleet, a value, what becomes of it.
    let since = cache.records(&["f:memo:f:0:", "t:tag"], 0)?.sequence;
    assert!(cache.add(lease, b"one", minute)? && !runtime.block_on(cache.add_async(lease, b"two", minute))?);
    assert!(cache.touch_if(lease, b"one", minute)? && !cache.touch_if(lease, b"two", None)?);
    assert_eq!(runtime.block_on(cache.store_async(key, b"value", minute, since))?, Stored::Stored);
    let found = runtime.block_on(cache.read_async(key, Want::BytesAndTimeToLive))?;
    assert!(found.is_some() && cache.get(key)?.is_some());
    assert!(cache.touch_if(key, b"value", None)?);
    assert!(runtime.block_on(cache.remove_if_async(lease, b"one"))?);
    let what = Invalidation { keys: &[key], keep: Duration::from_secs(9), ..Invalidation::default() };
    assert_eq!(cache.invalidate(&what)?.removed, 1);
    let longer = Invalidation { keep: Duration::from_secs(99), seen: 1 << 40, ..what };
    let sequence = runtime.block_on(cache.invalidate_async(&longer))?.sequence;
    assert_eq!(cache.store(key, b"stale", minute, since)?, Stored::Refused { sequence });
    // More names than are kept.
    let names: Vec<String> = (0..17_000).map(|number| format!("t:{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cache.invalidate(&Invalidation { names: &names, ..Invalidation::default() })?;
    cache.records(&["t:tag"], 1 << 41)?;
    // A bucket.
    cache.set(key, b"value", minute)?;
    assert_eq!(runtime.block_on(cache.increment_async(number, 2, None))?, 2);
    assert!(cache.touch(key, None)? && cache.touch(key, minute)?);
    cache.set_many(&[("memo:b", b"1"), ("memo:c", b"2")], None)?;
    assert_eq!(cache.get_many(&[key, "memo:b", "memo:x"])?.iter().flatten().count(), 2);
    assert!(cache.remove(number)?);
    assert_eq!(runtime.block_on(cache.clear_async("memo:"))?, 3);
    give_up(cache, runtime);
    cache.remove("memo:a")?;
    // The bus.
    let ear = Arc::new(Ear::default());
    let _subscription = cache.subscribe(Arc::clone(&ear) as Arc<dyn Listener>)?;
    eventually(|| ear.connected.load(Ordering::Relaxed) || is_refused());
    cache.publish(b"woken")?;
    eventually(|| ear.heard.load(Ordering::Relaxed) || is_refused());
    Ok(())
}

fn in_full(error: &Error) -> String {
    format!("{error} {error:?} {:?}", error.source())
}

#[test]
fn the_contract_holds_over_tls() {
    let authority = Authority::new();
    let (_server, port) = authority.server(&["127.0.0.1", "localhost"], false);
    let cache = |database: u32| {
        let cache = RedisCache::builder(format!("rediss://127.0.0.1:{port}/{database}"));
        patient(cache.root_certificates(authority.certificate()))
    };
    both_doors(cache(1), cache(2));

    let by_name = RedisCache::builder(format!("valkeys://localhost:{port}")).root_certificates(authority.certificate());
    let large = vec![7; 3 << 20];
    let cache = patient(by_name);
    cache.set("large", &large, None).unwrap();
    assert!(cache.get("large").unwrap().unwrap() == large);
    assert!(Runtime::new().unwrap().block_on(cache.get_async("large")).unwrap().unwrap() == large);
}

#[test]
fn a_server_that_is_not_trusted_is_refused() {
    let authority = Authority::new();
    let runtime = Runtime::new().unwrap();
    let (server, port) = authority.server(&["other.internal"], false);
    let url = format!("rediss://:geheim@127.0.0.1:{port}/");
    let cases = [
        ("invalid peer certificate", RedisCache::builder(&url).root_certificates(Authority::new().certificate())),
        ("not valid for", RedisCache::builder(&url).root_certificates(authority.certificate())),
    ];
    for (why, builder) in cases {
        let cache = patient(builder);
        for error in [cache.get("key").unwrap_err(), runtime.block_on(cache.get_async("key")).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
            assert!(!error.is_retryable() && error.to_string().contains("TLS"), "{error}");
            assert!(in_full(&error).contains(why), "{error:?}");
            assert!(!in_full(&error).contains("geheim"), "{error:?}");
        }
    }
    // TLS at a port without: the server waits for the rest of a command.
    let short = Duration::from_millis(100);
    let url = format!("rediss://{}/", server.address());
    let cache = RedisCache::builder(url).root_certificates(authority.certificate());
    let cache = cache.connect_timeout(short).operation_timeout(short).build().unwrap();
    for error in [cache.get("key").unwrap_err(), runtime.block_on(cache.get_async("key")).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    // Without TLS at a port that speaks it: the server hangs up.
    let plain = patient(RedisCache::builder(format!("redis://127.0.0.1:{port}/"))).get("key").unwrap_err();
    assert_eq!(plain.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_client_shows_its_certificate() {
    let authority = Authority::new();
    let (_server, port) = authority.server(&["127.0.0.1"], true);
    let runtime = Runtime::new().unwrap();
    let url = format!("rediss://127.0.0.1:{port}/");
    let Pair { certificate, key } = authority.sign(&["client.internal"]);
    let builder = || RedisCache::builder(&url).root_certificates(authority.certificate());

    let cache = patient(builder().client_certificate(certificate.clone(), key.clone()));
    cache.set("key", b"value", None).unwrap();
    assert!(runtime.block_on(cache.get_async("key")).unwrap().is_some());
    assert!(
        !format!("{cache:?} {:?}", builder().client_certificate(certificate.clone(), key.clone())).contains("BEGIN")
    );

    let without = patient(builder());
    for error in [without.get("key").unwrap_err(), runtime.block_on(without.get_async("key")).unwrap_err()] {
        assert!(in_full(&error).to_lowercase().contains("certificate"), "{error:?}");
    }
    for builder in [
        builder().client_certificate(certificate.clone(), "no key"),
        builder().client_certificate("no certificate", key.clone()),
        builder().client_certificate(certificate.clone(), authority.sign(&["other"]).key),
        RedisCache::builder(&url).root_certificates("no certificate"),
        RedisCache::builder("redis://127.0.0.1/").root_certificates(authority.certificate()),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!in_full(&error).contains("no key") && !in_full(&error).contains("PRIVATE"), "{error:?}");
    }
}

#[test]
fn a_cluster_over_tls() {
    let authority = Authority::new();
    let settings = authority.settings(&["127.0.0.1"], false);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let cluster = TestCluster::start_with_tls(3, &settings);
    let cache = RedisCache::cluster([cluster.tls_node(0)]).tls().root_certificates(authority.certificate());
    let cache = patient(cache);
    let runtime = Runtime::new().unwrap();
    for number in 0..100 {
        let key = format!("key:{number}");
        cache.set(&key, key.as_bytes(), None).unwrap();
        assert_eq!(runtime.block_on(cache.get_async(&key)).unwrap().unwrap(), key.as_bytes());
    }
    assert_eq!(cache.clear("").unwrap(), 100);
}

#[test]
fn a_user_with_few_permissions_is_enough() {
    let server = server_with(&[]);
    let (address, mut admin, runtime) = (server.address(), admin(&server), Runtime::new().unwrap());
    let allow = |admin: &mut redis::Connection, rules: &[String]| {
        let user = ["SETUSER", "memo", "reset", "on", ">geheim/1"];
        redis::cmd("ACL").arg(&user).arg(rules).exec(admin).unwrap();
    };
    let url = format!("redis://memo:geheim%2F1@{address}/2");
    let connect = || {
        // This asks for an answer, which a busy machine may give later than it is waited for.
        let is_late = |connected: &Result<RedisCache, Error>| {
            connected.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout)
        };
        let connected = (0..20).map(|_| RedisCache::connect(&url)).find(|connected| !is_late(connected));
        connected.expect("the server answers").map(|_| patient(RedisCache::builder(&url)))
    };
    let permissions = permissions();
    let mut attempt = |rules: &[String]| {
        // So that scripts are sent in full, too.
        redis::cmd("FLUSHALL").exec(&mut admin).unwrap();
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut admin).unwrap();
        redis::cmd("ACL").arg(&["LOG", "RESET"]).exec(&mut admin).unwrap();
        allow(&mut admin, rules);
        let mut refusals = || redis::cmd("ACL").arg("LOG").query::<Vec<redis::Value>>(&mut admin).unwrap().len();
        let done = connect().and_then(|cache| exercise(&cache, &runtime, &mut || refusals() > 0));
        (done.is_ok(), refusals())
    };
    assert_eq!(attempt(&permissions), (true, 0));
    for (place, permission) in permissions.iter().enumerate() {
        let what_resets = ["resetchannels", "-@all"].contains(&&**permission);
        if what_resets {
            continue;
        }
        let others = [&permissions[..place], &permissions[place + 1..]].concat();
        let (done, refusals) = attempt(&others);
        assert!(refusals > 0, "nothing needs {permission}");
        // Without these all else works; without the next one only the subscription never begins.
        let spared = permission.starts_with("+client|") || permission == "+subscribe";
        assert_eq!(done, spared, "without {permission}");
    }
    assert_eq!(attempt(&permissions), (true, 0));

    let cache = connect().unwrap();
    cache.set("memo:a", b"value", None).unwrap();
    runtime.block_on(cache.set_async("memo:b", b"value", None)).unwrap();
    give_up(&cache, &runtime);
    cache.remove("memo:a").unwrap();
    assert_eq!(cache.get("memo:a").unwrap(), None);
    assert_eq!(cache.clear("memo:").unwrap(), 1);

    let error = cache.set("other:key", b"value", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    for url in [format!("redis://memo:geheim%2F2@{address}/"), format!("redis://geheim@{address}/")] {
        let cache = patient(RedisCache::builder(url));
        for error in [cache.get("memo:a").unwrap_err(), runtime.block_on(cache.get_async("memo:a")).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!in_full(&error).contains("geheim"), "{error:?}");
        }
    }
}

#[test]
fn the_contract_holds_on_a_socket() {
    let server = server_with(&["--unixsocket", "{folder}/redis.sock"]);
    let path = server.folder().join("redis.sock");
    let cache = |database: u32| patient(RedisCache::builder(format!("unix://{}?db={database}", path.display())));
    both_doors(cache(4), cache(5));

    let timeout = Duration::from_secs(2);
    let cache = RedisCache::builder(format!("unix://{}", path.display())).database(4);
    let cache = cache.connect_timeout(timeout).operation_timeout(timeout).build().unwrap();
    cache.set("key", b"value", None).unwrap();
    drop(server);
    let before = clock::now();
    assert_eq!(cache.get("key").unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(clock::now().since(before) < 5 * timeout);
}

#[test]
fn databases_are_apart() {
    let server = own_server();
    let (url, runtime) = (server.url(), Runtime::new().unwrap());
    let one = patient(RedisCache::builder(format!("{url}1")));
    let two = patient(RedisCache::builder(&url).database(2));
    one.set("key", b"one", None).unwrap();
    assert_eq!(two.get("key").unwrap(), None);
    runtime.block_on(two.set_async("key", b"two", None)).unwrap();
    assert_eq!(one.get("key").unwrap().unwrap(), b"one");
    assert_eq!(two.clear("").unwrap(), 1);
    assert_eq!(runtime.block_on(one.get_async("key")).unwrap().unwrap(), b"one");
    let error = patient(RedisCache::builder(&url).database(99)).get("key").unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let count: u64 = redis::cmd("DBSIZE").query(&mut admin(&server)).unwrap();
    assert_eq!(count, 0);
}
