//! Ways to a server: TLS, users and their permissions, Unix sockets, databases.
#![cfg(all(feature = "redis-tls", feature = "redis-tokio", unix))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use memo_backends::RedisCache;
use memo_core::{Cache, Error, ErrorKind, clock};
use std::error::Error as _;
use std::time::Duration;
use support::cluster::TestCluster;
use support::tls::{Authority, Pair};
use support::{admin, both_doors, own_server, server_with};
use tokio::runtime::Runtime;

/// What the guide says a user needs, each with its reason there.
const PERMISSIONS: &str = "~memo:* resetchannels -@all +get +set +mget +unlink +pttl +pexpire +persist +exists +incrby \
                           +scan +multi +exec +ping +select +client|info +client|kill";

fn in_full(error: &Error) -> String {
    format!("{error} {error:?} {:?}", error.source())
}

#[test]
fn the_contract_holds_over_tls() {
    let authority = Authority::new();
    let (_server, port) = authority.server(&["127.0.0.1", "localhost"], false);
    let cache = |database: u32| {
        let cache = RedisCache::builder(format!("rediss://127.0.0.1:{port}/{database}"));
        cache.root_certificates(authority.certificate()).build().unwrap()
    };
    both_doors(cache(1), cache(2));

    let by_name = RedisCache::builder(format!("valkeys://localhost:{port}")).root_certificates(authority.certificate());
    let large = vec![7; 3 << 20];
    let cache = by_name.build().unwrap();
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
        let cache = builder.build().unwrap();
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
    let plain = RedisCache::connect(format!("redis://127.0.0.1:{port}/")).unwrap_err();
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

    let cache = builder().client_certificate(certificate.clone(), key.clone()).build().unwrap();
    cache.set("key", b"value", None).unwrap();
    assert!(runtime.block_on(cache.get_async("key")).unwrap().is_some());
    assert!(
        !format!("{cache:?} {:?}", builder().client_certificate(certificate.clone(), key.clone())).contains("BEGIN")
    );

    let without = builder().build().unwrap();
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
    let cache = cache.build().unwrap();
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
    let user = format!("user memo on >geheim/1 {PERMISSIONS}");
    let user: Vec<&str> = user.split_whitespace().collect();
    let server = server_with(&[&["--user"], &user[1..]].concat());
    let address = server.address();
    let runtime = Runtime::new().unwrap();
    let cache =
        RedisCache::builder(format!("redis://{address}/2")).username("memo").password("geheim/1").build().unwrap();
    // Not the suite, whose keys are others.
    let number = "memo:number";
    cache.set("memo:a", b"value", Some(Duration::from_secs(60))).unwrap();
    assert!(runtime.block_on(cache.get_async("memo:a")).unwrap().is_some());
    assert!(!cache.add("memo:a", b"value", None).unwrap());
    assert_eq!(cache.increment(number, 2, None).unwrap(), 2);
    assert!(cache.touch("memo:a", None).unwrap() && cache.touch("memo:a", Some(Duration::from_secs(9))).unwrap());
    cache.set_many(&[("memo:b", b"1"), ("memo:c", b"2")], None).unwrap();
    assert_eq!(cache.get_many(&["memo:a", "memo:b", "memo:x"]).unwrap().iter().flatten().count(), 2);
    let found = runtime.block_on(cache.read_async("memo:a", memo_core::Want::BytesAndTimeToLive)).unwrap();
    assert!(found.is_some());
    assert!(cache.remove(number).unwrap());
    // A write that is given up makes the next operation close its connection, for which it needs the permission.
    runtime.block_on(async {
        let mut set = cache.set_async("memo:a", b"given up", None);
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(set.as_mut().poll(context).is_ready()));
        assert!(!polled.await);
    });
    cache.remove("memo:a").unwrap();
    assert_eq!(cache.get("memo:a").unwrap(), None);
    assert_eq!(runtime.block_on(cache.clear_async("memo:")).unwrap(), 2);

    let error = cache.set("other:key", b"value", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    for url in [format!("redis://memo:geheim%2F2@{address}/"), format!("redis://geheim@{address}/")] {
        let cache = RedisCache::builder(url).build().unwrap();
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
    let cache = |database: u32| RedisCache::connect(format!("unix://{}?db={database}", path.display())).unwrap();
    both_doors(cache(4), cache(5));

    let timeout = Duration::from_millis(200);
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
    let one = RedisCache::connect(format!("{url}1")).unwrap();
    let two = RedisCache::builder(&url).database(2).build().unwrap();
    one.set("key", b"one", None).unwrap();
    assert_eq!(two.get("key").unwrap(), None);
    runtime.block_on(two.set_async("key", b"two", None)).unwrap();
    assert_eq!(one.get("key").unwrap().unwrap(), b"one");
    assert_eq!(two.clear("").unwrap(), 1);
    assert_eq!(runtime.block_on(one.get_async("key")).unwrap().unwrap(), b"one");
    let error = RedisCache::builder(&url).database(99).build().unwrap().get("key").unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let count: u64 = redis::cmd("DBSIZE").query(&mut admin(&server)).unwrap();
    assert_eq!(count, 0);
}
