//! What the tests of the shared level have in common: a cache of each backend under its name.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod gate;
pub(crate) mod probe;
#[path = "../../memo-backends/tests/support/server.rs"]
pub(crate) mod server;
pub(crate) mod threads;

use memokit::{Cache, FileCache, MemoryCache, RedisCache};
use server::{Server, find_program};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Once, OnceLock};
use std::time::Duration;
use std::{env, fs};

/// The names under which [`register`] registers a cache of each backend.
pub(crate) const BACKENDS: [&str; 3] = ["memory", "file", "redis"];

/// The address of a database on the server in `MEMOKIT_TEST_REDIS`, else on one that is started here. The static is
/// never dropped, but the server ends when this process does, see `server.rs`.
pub(crate) fn redis_url(database: u8) -> String {
    static OWN: OnceLock<Server> = OnceLock::new();
    let own = || {
        let program = find_program().expect(
            "no Redis server on the PATH: run `cargo xtask test`, which installs one, or install the package \
             redis-server or valkey, or set MEMOKIT_REDIS_SERVER",
        );
        Server::start(&program).expect("the server starts")
    };
    let url = env::var("MEMOKIT_TEST_REDIS").unwrap_or_else(|_| OWN.get_or_init(own).url());
    format!("{}/{database}", url.trim_end_matches('/'))
}

/// A database, with more patience than the default.
pub(crate) fn redis_of(database: u8) -> RedisCache {
    patient(redis_url(database))
}

/// A server, with more patience than the default: many threads share few processors here.
pub(crate) fn patient(url: String) -> RedisCache {
    let patience = Duration::from_secs(20);
    let cache = RedisCache::builder(url).connect_timeout(patience).operation_timeout(patience).build();
    cache.expect("an address")
}

/// As [`redis_of`], empty.
pub(crate) fn redis(database: u8) -> RedisCache {
    let cache = redis_of(database);
    cache.clear("").expect("the server answers");
    cache
}

/// A new folder for a file cache, in the place that cargo gives to the tests of this package.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Registers one empty cache of each backend, once in this process. `number` is the Redis database and names the
/// folder: each test binary has its own.
pub(crate) fn register(number: u8) {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let file = FileCache::builder(folder(&format!("backend-{number}"))).max_bytes(64 << 20).build();
        let caches: [Arc<dyn Cache>; 3] =
            [Arc::new(MemoryCache::new()), Arc::new(file.expect("a folder")), Arc::new(redis(number))];
        for (name, cache) in BACKENDS.into_iter().zip(caches) {
            assert_eq!(cache.capabilities().name, name);
            assert!(memokit::register(name, cache).is_none());
        }
        hears("redis", warm);
    });
}

#[memokit::cached(cache = "redis", prefix = "support: warm")]
fn warm() {}

/// Waits until messages of the bus arrive at a cache that `call` uses. When they begin to, copies go that were fetched
/// before.
pub(crate) fn hears(cache: &str, call: fn()) {
    call();
    let cache = memokit::cache(cache).expect("it is registered");
    while !memokit::health(&cache).hears {
        std::thread::yield_now();
    }
}

/// Waits until what another thread does has been seen; far longer than it takes.
pub(crate) fn eventually(what: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if what() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("it does not happen");
}

/// A cache of a test, as functions take it.
pub(crate) fn given<C: Cache>(cache: &'static LazyLock<Arc<C>>) -> Arc<dyn Cache> {
    Arc::clone(&**cache) as Arc<dyn Cache>
}

/// A body of a function of several ids: each run returns another value, the same for all its ids.
pub(crate) fn run(ids: &[u64]) -> HashMap<u64, u64> {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    let run = RUNS.fetch_add(1, SeqCst);
    ids.iter().map(|id| (*id, run)).collect()
}
