//! What becomes of cached functions when their Redis server is killed, paused, slow, empty, cut off or replaced, under load, with
//! real servers: no panic, no wrong value, no hang, bounded delay, and all as before within a second of its return.
//!
//! One fault at a time, since delays are measured. `MEMOKIT_TEST_EFFORT` makes the outages as many times longer, up to 10 s.
#![cfg(unix)]
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a server and a network take real time, which is measured")]

#[path = "../../memo-backends/tests/support/cluster.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod cluster;
mod load;
mod outages;
#[path = "../../memo-backends/tests/support/own.rs"]
mod own;
mod partition;
#[path = "../../memo-backends/tests/support/proxy.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod proxy;
#[path = "../../memo-backends/tests/support/sentinel.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod sentinel;
#[path = "../../memo-backends/tests/support/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod topologies;

use memokit::{Cache, RedisCache};
use proxy::Proxy;
use server::Server;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long an operation may take here, and a connect.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A server of the test's own, a proxy in front of it, and a cache behind that.
struct Ground {
    server: Server,
    proxy: Proxy,
    cache: Arc<dyn Cache>,
}

impl Ground {
    fn new() -> Self {
        let server = own::own_server();
        let proxy = Proxy::start(server.address()).unwrap();
        let cache = connect(&proxy.url());
        Ground { server, proxy, cache }
    }

    /// A cache that goes past the proxy.
    fn direct(&self) -> Arc<dyn Cache> {
        patient(&self.server.url())
    }

    fn signal(&self, name: &str) {
        let pid = self.server.pid().expect("it runs").to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

fn connect(url: &str) -> Arc<dyn Cache> {
    let builder = RedisCache::builder(url).connect_timeout(TIMEOUT).operation_timeout(TIMEOUT).pool_size(16);
    Arc::new(builder.build().unwrap())
}

/// As [`connect`], for what is no subject of its time.
fn patient(url: &str) -> Arc<dyn Cache> {
    let patience = 40 * TIMEOUT;
    Arc::new(RedisCache::builder(url).connect_timeout(patience).operation_timeout(patience).build().unwrap())
}

/// From 1, where the tests run beside whatever else the machine has to do, to 5, where they run alone.
fn effort() -> u32 {
    std::env::var("MEMOKIT_TEST_EFFORT").map_or(1, |effort| effort.parse().expect("a number")).clamp(1, 5)
}

/// Outages are so long.
fn outage() -> Duration {
    Duration::from_secs(2) * effort()
}

/// Sleeps for the length of an outage: this is real time, which a server and a network take.
fn last(span: Duration) {
    thread::sleep(span);
}
