//! `single_flight = "fleet"`: of several processes that share a cache, one loads a key at a time. The other processes are this
//! test binary, run again with a part to play.
#![cfg(unix)]
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Fault, Faulty};
use memokit::{ErrorKind, FileCache, MemoryCache, RedisCache, cached};
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// The Redis database of this test binary.
const NUMBER: u8 = 14;
const PART: &str = "MEMOKIT_TEST_PART";
const FOLDER: &str = "MEMOKIT_TEST_FOLDER";
const ADDRESS: &str = "MEMOKIT_TEST_ADDRESS";

const PROCESSES: u64 = 4;
const ROUNDS: u64 = 25;

fn folder() -> PathBuf {
    PathBuf::from(env::var(FOLDER).unwrap())
}

/// What a load takes: long enough for all processes to come.
fn load(cache: &str, n: u64) -> u64 {
    let path = folder().join(format!("{cache} {n}"));
    File::options().append(true).create(true).open(path).unwrap().write_all(b"1").unwrap();
    (0..2_000_000_u64).fold(n, |sum, i| std::hint::black_box(sum.wrapping_add(i)));
    n * n
}

#[cached(cache = "redis", single_flight = "fleet", timeout = "1h")]
fn on_redis(n: u64) -> u64 {
    load("redis", n)
}

#[cached(cache = "redis", single_flight = "fleet", local = false, prefix = "fleet: tasks")]
async fn by_tasks(n: u64) -> u64 {
    load("tasks", n)
}

#[cached(cache = "file", single_flight = "fleet")]
fn on_file(n: u64) -> u64 {
    load("file", n)
}

/// Never ends its load.
#[cached(cache = "redis", single_flight = "fleet", prefix = "fleet: stuck")]
fn stuck() -> u64 {
    if env::var(PART).is_ok_and(|part| part == "stuck") {
        println!("\nloading");
        loop {
            std::thread::park();
        }
    }
    7
}

fn register() {
    memokit::register("file", Arc::new(FileCache::open(folder().join("cache")).unwrap()));
    let patience = std::time::Duration::from_secs(20);
    let redis = RedisCache::builder(env::var(ADDRESS).unwrap()).operation_timeout(patience).build();
    memokit::register("redis", Arc::new(redis.unwrap()));
}

/// The part of a child; nothing when the tests are run as such.
#[test]
fn child() {
    match env::var(PART).as_deref() {
        Ok("stuck") => {
            register();
            stuck();
        }
        Ok(_) => {
            register();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for n in 0..ROUNDS {
                assert_eq!((on_redis(n), on_file(n)), (n * n, n * n));
                assert_eq!(runtime.block_on(by_tasks(n)), n * n);
            }
        }
        Err(_) => {}
    }
}

fn start(part: &str, folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(FOLDER, folder)
        .env(ADDRESS, support::redis_url(NUMBER))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn one_process_loads_and_the_others_wait() {
    let folder = support::folder("fleet");
    fs::create_dir_all(&folder).unwrap();
    drop(support::redis(NUMBER));
    let children: Vec<Child> = (0..PROCESSES).map(|part| start(&part.to_string(), &folder)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    for cache in ["redis", "tasks", "file"] {
        for n in 0..ROUNDS {
            let loads = fs::read(folder.join(format!("{cache} {n}"))).unwrap().len();
            assert_eq!(loads, 1, "{cache} {n}");
        }
    }
}

#[test]
fn the_lease_of_a_process_that_died_ends_by_itself() {
    if env::var(PART).is_ok() {
        return;
    }
    let folder = support::folder("fleet-stuck");
    fs::create_dir_all(&folder).unwrap();
    let mut child = start("stuck", &folder);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    lines.find(|line| line.as_ref().is_ok_and(|line| line == "loading")).expect("it loads").unwrap();
    let redis = support::redis_of(NUMBER);
    memokit::register("redis", Arc::new(redis));
    let waiting = std::thread::spawn(stuck);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(waiting.join().unwrap(), 7);
}

#[test]
fn where_the_cache_fails_each_process_loads_for_itself() {
    #[cached(cache = "faulty", single_flight = "fleet", local = false)]
    fn faulty(n: u64) -> u64 {
        n
    }
    let cache = Arc::new(Faulty::new(Arc::new(MemoryCache::new())));
    memokit::register("faulty", Arc::<Faulty>::clone(&cache));
    assert_eq!((faulty(1), faulty(1)), (1, 1));
    cache.inject(Fault::error(ErrorKind::Unavailable));
    assert_eq!((faulty(1), faulty(2)), (1, 2));
    assert!(faulty::stats().backend_errors > 0);
}

#[test]
fn a_load_that_was_dropped_gives_its_lease_back() {
    #[cached(cache = "memory", single_flight = "fleet", local = false)]
    async fn dropped(n: u64) -> u64 {
        if n == 0 {
            std::future::pending::<()>().await;
        }
        n
    }
    let cache = Arc::new(MemoryCache::new());
    memokit::register("memory", Arc::<MemoryCache>::clone(&cache));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut call = Box::pin(dropped(0));
        assert!(std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await.is_pending());
        let lease = format!("memo!lease:{}", dropped::key(0).unwrap().text());
        assert!(memokit::Cache::get(&*cache, &lease).unwrap().is_some());
        drop(call);
        // Another thread gives it back.
        while memokit::Cache::get(&*cache, &lease).unwrap().is_some() {
            std::thread::yield_now();
        }
        assert_eq!(dropped(1).await, 1);
    });
}
