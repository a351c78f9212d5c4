//! What the tests of Redis share: a server, and errors that say what to do where there is none.

pub(crate) mod cluster;
pub(crate) mod own;
pub(crate) mod proxy;
pub(crate) mod sentinel;
pub(crate) mod server;
#[cfg(feature = "redis-tls")]
pub(crate) mod tls;

use memo_backends::RedisCache;
use memo_backends::redis::RedisCacheBuilder;
use memo_core::Cache;
use memo_core::testing::conformance;
#[allow(unused_imports, reason = "each test uses a part")]
pub(crate) use own::{admin, eventually, own_server, replicated, server_with};
use server::Server;
use std::env;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The address of database `number` on the server for all tests: the one in `MEMOKIT_TEST_REDIS`, else one that is
/// started here. A static is never dropped, but the server ends when this process does, see `server.rs`.
pub(crate) fn shared_url(number: u8) -> String {
    static OWN: OnceLock<Server> = OnceLock::new();
    let url = env::var("MEMOKIT_TEST_REDIS").unwrap_or_else(|_| OWN.get_or_init(own_server).url());
    format!("{}/{number}", url.trim_end_matches('/'))
}

/// A cache with more patience than the default, for tests whose subject is not time: the machine has other work too.
pub(crate) fn patient(builder: RedisCacheBuilder) -> RedisCache {
    let patience = Duration::from_secs(20);
    builder.connect_timeout(patience).operation_timeout(patience).build().expect("settings that fit")
}

/// The contract of a backend, through both doors at the same time; the caches are of two databases.
pub(crate) fn both_doors(tasks: impl Cache, threads: impl Cache) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (tasks, threads): (Arc<dyn Cache>, Arc<dyn Cache>) = (Arc::new(tasks), Arc::new(threads));
    std::thread::scope(|scope| {
        scope.spawn(|| conformance::check(&tasks, &mut std::thread::sleep, &|future| runtime.block_on(future)));
        scope.spawn(|| conformance::check(&threads, &mut std::thread::sleep, &conformance::block_on));
    });
}
