//! Listening in every shape.

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../../../tests/support/mod.rs"]
mod support;

use super::{Listening, Message};
use crate::RedisCache;
use redis::Connection;
use std::time::Duration;
use support::cluster::TestCluster;
use support::sentinel::Watched;
use support::{admin, eventually, own_server, patient, server_with};

const WAIT: Duration = Duration::from_secs(10);

fn publish(admin: &mut Connection, channel: &str, payload: &str) {
    redis::cmd("PUBLISH").arg(channel).arg(payload).exec(admin).unwrap();
}

/// What is published is received, in order, and nothing else.
fn hears(subscription: &mut Listening, admin: &mut Connection) {
    for payload in ["first", "second"] {
        publish(admin, "memo:other", "unheard");
        publish(admin, "memo:bus:2", payload);
        let message = Message { channel: b"memo:bus:2".to_vec(), payload: payload.into() };
        assert_eq!(subscription.next(WAIT).unwrap(), Some(message));
    }
    // Asks for a sign of life, and gets it, which is no message. It must come by the end of the time, however busy the machine.
    for millis in [1, 1_000] {
        assert_eq!(subscription.next(Duration::from_millis(millis)).unwrap(), None);
    }
    publish(admin, "memo:bus:1", "third");
    assert_eq!(subscription.next(WAIT).unwrap().unwrap().payload, b"third");
}

fn listen(cache: &RedisCache) -> Listening {
    cache.listen(&["memo:bus:1", "memo:bus:2"]).unwrap()
}

#[test]
fn at_a_single_server_also_after_it_came_back() {
    let mut server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let mut subscription = listen(&cache);
    hears(&mut subscription, &mut admin(&server));

    server.stop();
    assert!(subscription.next(WAIT).unwrap_err().is_retryable());
    assert!(cache.listen(&["memo:bus:1"]).is_err_and(|error| error.is_retryable()));
    server.restart().unwrap();
    hears(&mut listen(&cache), &mut admin(&server));
}

#[cfg(unix)]
#[test]
fn a_server_that_hangs_is_noticed() {
    let server = own_server();
    let cache = patient(RedisCache::builder(server.url()));
    let mut subscription = listen(&cache);
    let pid = server.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    assert_eq!(subscription.next(Duration::from_millis(100)).unwrap(), None);
    let error = subscription.next(Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.kind(), memo_core::ErrorKind::Timeout);
}

#[cfg(unix)]
#[test]
fn on_a_socket_as_a_user() {
    let user =
        ["--user", "memo", "on", ">geheim", "resetkeys", "resetchannels", "&memo:*", "-@all", "+subscribe", "+ping"];
    let server = server_with(&[&["--unixsocket", "{folder}/redis.sock"], &user[..]].concat());
    let url = format!("unix://{}/redis.sock?user=memo&pass=geheim", server.folder().display());
    let cache = patient(RedisCache::builder(url));
    hears(&mut listen(&cache), &mut admin(&server));
    let error = cache.listen(&["others"]).err().unwrap();
    assert_eq!(error.kind(), memo_core::ErrorKind::Config, "{error:?}");
}

#[cfg(feature = "redis-tls")]
#[test]
fn over_tls() {
    let authority = support::tls::Authority::new();
    let (server, port) = authority.server(&["127.0.0.1"], false);
    let cache = RedisCache::builder(format!("rediss://127.0.0.1:{port}/")).root_certificates(authority.certificate());
    hears(&mut listen(&patient(cache)), &mut admin(&server));
}

#[test]
fn at_the_master_that_the_sentinels_name() {
    let mut watched = Watched::start(2);
    let cache = patient(RedisCache::builder(watched.url()));
    let mut subscription = listen(&cache);
    hears(&mut subscription, &mut admin(&watched.servers[0]));

    watched.servers[0].stop();
    assert!(subscription.next(WAIT).is_err());
    let mut again = None;
    assert!(eventually(|| {
        again = cache.listen(&["memo:bus:1", "memo:bus:2"]).ok();
        again.is_some()
    }));
    hears(&mut again.unwrap(), &mut admin(&watched.servers[1]));
}

#[test]
fn at_any_node_of_a_cluster() {
    let mut cluster = TestCluster::start(3);
    let cache = patient(RedisCache::builder(cluster.url()));
    let mut subscription = listen(&cache);
    hears(&mut subscription, &mut cluster.admin(0));
    hears(&mut subscription, &mut cluster.admin(2));

    let port = match &subscription.node.endpoint {
        crate::redis::address::Endpoint::Tcp { port, .. } => *port,
        other @ crate::redis::address::Endpoint::Unix(_) => panic!("{other:?}"),
    };
    let node = cluster.nodes.iter().position(|node| node.address().port() == port).unwrap();
    cluster.nodes[node].stop();
    assert!(subscription.next(WAIT).is_err());
    let mut again = None;
    assert!(eventually(|| {
        again = cache.listen(&["memo:bus:1", "memo:bus:2"]).ok();
        again.is_some()
    }));
    hears(&mut again.unwrap(), &mut cluster.admin((node + 1) % 3));
}
