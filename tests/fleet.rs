//! `single_flight = "fleet"`: of several processes that share a cache, one loads a key at a time. The other processes are this
//! test binary, run again with a part to play.
#![cfg(unix)]
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Fault, Faulty, Operation};
use memokit::{ErrorKind, FileCache, MemoryCache, cached};
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, mpsc};
use std::thread;
use std::time::Duration;
use support::gate::Gate;

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
            thread::park();
        }
    }
    7
}

fn register() {
    memokit::register("file", Arc::new(FileCache::open(folder().join("cache")).unwrap()));
    memokit::register("redis", Arc::new(support::patient(env::var(ADDRESS).unwrap())));
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
    let waiting = thread::spawn(stuck);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(waiting.join().unwrap(), 7);
}

/// Two functions of one entry, each on a cache of its own over the same memory, as in two processes.
#[test]
fn where_the_cache_fails_each_process_loads_for_itself() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    static THERE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached(cache = "faulty", prefix = "fleet: faulty", single_flight = "fleet", local = false)]
    fn here(n: u64) -> u64 {
        RUNS.fetch_add(1, SeqCst);
        n
    }
    #[cached(cache = "of another", prefix = "fleet: faulty", single_flight = "fleet", local = false)]
    fn there(n: u64) -> u64 {
        THERE.pass();
        n
    }
    let memory = Arc::new(MemoryCache::new());
    let faulty = Arc::new(Faulty::new(Arc::<MemoryCache>::clone(&memory)));
    memokit::register("faulty", Arc::<Faulty>::clone(&faulty));
    memokit::register("of another", Arc::new(Faulty::new(memory)));
    assert_eq!((here(0), here(0), RUNS.load(SeqCst)), (0, 0, 1));

    // While it waits for another process: it has found the lease taken, and looked again once a wait had begun.
    let asked = faulty.calls(Operation::Add);
    let another = thread::spawn(|| there(1));
    THERE.arrived(1);
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || done.send(here(1)));
    while faulty.calls(Operation::Add) < asked + 2 {
        thread::yield_now();
    }
    assert_eq!(RUNS.load(SeqCst), 1, "it waits");
    let fault = faulty.inject(Fault::error(ErrorKind::Unavailable));
    let waited = waiting.recv_timeout(Duration::from_secs(20)).expect("it waits no more");
    assert_eq!((waited, RUNS.load(SeqCst)), (1, 2));
    assert!(!another.is_finished());
    THERE.open();
    assert_eq!(another.join().unwrap(), 1);

    // From the beginning, and where the lease alone can't be had.
    assert_eq!((here(2), here(2), RUNS.load(SeqCst)), (2, 2, 4), "nothing is stored");
    faulty.withdraw(fault);
    faulty.inject(Fault::error(ErrorKind::Timeout).on(Operation::Add));
    assert_eq!((here(3), RUNS.load(SeqCst)), (3, 5));
    assert!(here::stats().backend_errors >= 4, "{:?}", here::stats());
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
            thread::yield_now();
        }
        assert_eq!(dropped(1).await, 1);
    });
}
