//! `CACHE_TYPE`: the caches there are, where they keep things, and what happens when one fails.

use crate::support::probe::{Op, Probe, Step};
use crate::{MILLI, SECOND, cache};
use memokit::testing::MockClock;
use memokit::{Bucket, Cache, ErrorKind, FileCache, MemoryCache, NullCache, cached};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// `SimpleCache`, with `CACHE_THRESHOLD`: there a number of entries, here bytes.
#[test]
fn the_memory_cache_keeps_to_its_bound() {
    let memory = Arc::new(MemoryCache::builder().max_bytes(64 << 10).build());
    let cache: Bucket<Vec<u8>> = Bucket::new(memory.clone(), "flask simple");
    for n in 0..1000_u32 {
        cache.set(&n, &vec![1; 1000]).unwrap();
        assert!(memory.bytes() <= 64 << 10);
    }
    assert!((1..1000).contains(&cache.keys().unwrap().len()));
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// There, the cache deletes whatever it finds in its folder: it "must own" it.
#[test]
fn the_file_cache_leaves_files_of_others_alone() {
    let folder = crate::support::folder("flask-foreign");
    let file = FileCache::builder(&folder).max_bytes(1 << 20).build().unwrap();
    fs::write(folder.join("precious.txt"), "mine").unwrap();
    let cache: Bucket<Vec<u8>> = Bucket::new(Arc::new(file), "flask file");
    for n in 0..50_u32 {
        cache.set(&n, &vec![0; 10_000]).unwrap();
    }
    cache.clear().unwrap();
    assert_eq!(fs::read_to_string(folder.join("precious.txt")).unwrap(), "mine");
}

/// `CACHE_OPTIONS = {'mode': 0o600}`.
#[test]
fn the_file_cache_is_for_its_owner_only() {
    let folder = crate::support::folder("flask-mode");
    let cache: Bucket<u32> = Bucket::new(Arc::new(FileCache::open(&folder).unwrap()), "flask mode");
    cache.set("a", &1).unwrap();
    let files = files_below(&folder);
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

/// There, a full folder drops what expires first, and takes "never" for the earliest of all. Here what has expired goes first.
#[test]
fn a_full_file_cache_drops_what_has_expired_before_what_never_expires() {
    let clock = MockClock::install();
    let folder = crate::support::folder("flask-full");
    let file: Arc<dyn Cache> = Arc::new(FileCache::builder(&folder).max_bytes(1 << 20).build().unwrap());
    let for_ever: Bucket<Vec<u8>> = Bucket::new(Arc::clone(&file), "flask for ever");
    let passing: Bucket<Vec<u8>> = Bucket::new(file, "flask passing").timeout(10 * SECOND).unwrap();
    for n in 0..20_u32 {
        for_ever.set(&n, &vec![0; 1000]).unwrap();
    }
    // A part of the folder at a time, more than the whole in all.
    for wave in 0..20_u32 {
        for n in 0..150_u32 {
            passing.set(&(wave, n), &vec![0; 1000]).unwrap();
        }
        assert_eq!(passing.get_many((0..150_u32).map(|n| (wave, n))).unwrap().into_iter().flatten().count(), 150);
        clock.advance(10 * SECOND);
    }
    assert_eq!(for_ever.get_many(0..20_u32).unwrap().into_iter().flatten().count(), 20);
}

/// There, times are whole seconds.
#[test]
fn the_file_cache_keeps_milliseconds() {
    let clock = MockClock::install();
    let file = FileCache::open(crate::support::folder("flask-millis")).unwrap();
    let cache: Bucket<u32> = Bucket::new(Arc::new(file), "flask millis").timeout(500 * MILLI).unwrap();
    cache.set("a", &1).unwrap();
    clock.advance(499 * MILLI);
    assert_eq!(cache.get("a").unwrap(), Some(1));
    clock.advance(MILLI);
    assert_eq!(cache.get("a").unwrap(), None);
}

/// `CACHE_KEY_PREFIX`.
#[test]
fn two_programs_share_a_server_by_their_prefixes() {
    let [mine, yours]: [Bucket<u32>; 2] = ["flask app 1", "flask app 2"].map(|name| Bucket::new(cache("redis"), name));
    mine.set("a", &1).unwrap();
    yours.set("a", &2).unwrap();
    assert_eq!((mine.clear().unwrap(), yours.get("a").unwrap()), (1, Some(2)));
}

/// `CACHE_SERIALIZER`.
#[test]
fn the_codec_of_a_function_can_be_chosen() {
    let memory = cache("memory");
    #[cached(cache = "memory", codec = Json, prefix = "flask: json")]
    fn f(n: u32) -> Vec<(u32, String)> {
        vec![(n, "a".into())]
    }
    f(1);
    let bytes = memory.get(f::key(1).unwrap().text()).unwrap().unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains(r#"[[1,"a"]]"#));
}

/// `NullCache`, for tests and development.
#[test]
fn the_null_cache_stores_nothing() {
    memokit::register("flask null", Arc::new(NullCache));
    #[cached(cache = "flask null", local = false, prefix = "flask: null")]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!((f(1), f(1), f::stats().loads), (1, 1, 2));
    assert!(!f::contains(1).unwrap());
    let cache: Bucket<u32> = Bucket::new(memokit::cache("flask null").unwrap(), "flask null");
    cache.set("a", &1).unwrap();
    assert_eq!((cache.get("a").unwrap(), cache.add("a", &1).unwrap()), (None, true));
}

/// `CACHE_TYPE` names a class by its path: here any type that implements `Cache`.
#[test]
fn a_cache_of_ones_own_is_registered_by_name() {
    let probe = Probe::new();
    memokit::register("flask own", Arc::clone(&probe) as Arc<dyn Cache>);
    #[cached(cache = "flask own", local = false, prefix = "flask: own")]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!((f(1), f(1)), (1, 1));
    assert_eq!(probe.memory.len(), 1);
}

/// `register`, and the configuration that is read at the start of the program.
#[test]
fn a_cache_can_be_replaced_under_its_name() {
    #[cached(cache = "flask replaced", local = false, prefix = "flask: replaced")]
    fn f(n: u32) -> u32 {
        n
    }
    assert!(memokit::register("flask replaced", Arc::new(MemoryCache::new())).is_none());
    f(1);
    assert!(memokit::register("flask replaced", Arc::new(MemoryCache::new())).is_some());
    f(1);
    assert_eq!(f::stats().loads, 2, "the new one is empty");
}

static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

#[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>, local = false, prefix = "flask: failing")]
fn failing(n: u32) -> u32 {
    assert!(n > 0, "the body's own");
    n
}

/// There so too unless it runs in debug mode; but there, an error of the program's own functions (`unless`, `make_name`) is
/// swallowed with those of the cache.
#[test]
fn a_failing_cache_runs_the_body_and_hides_no_error_of_the_program() {
    PROBE.rule(|op, _| if op == Op::Read { Step::Fail(ErrorKind::Unavailable) } else { Step::Go });
    assert_eq!((failing(1), failing(1)), (1, 1));
    assert_eq!((failing::stats().loads, failing::stats().backend_errors), (2, 2));
    let panic = std::panic::catch_unwind(|| failing(0)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the body's own"));

    #[cached(bypass = { assert!(n > 0, "the condition's own"); false })]
    fn conditional(n: u32) -> u32 {
        n
    }
    assert_eq!(conditional(1), 1);
    assert!(std::panic::catch_unwind(|| conditional(0)).is_err());
}

/// There, one of many keys that fails is an exception or not by `CACHE_IGNORE_ERRORS`.
#[test]
fn a_failing_dictionary_is_always_an_error() {
    let probe = Probe::new();
    let cache: Bucket<u32> = Bucket::new(Arc::clone(&probe) as Arc<dyn Cache>, "flask failing");
    cache.set("a", &1).unwrap();
    probe.rule(|_, _| Step::Fail(ErrorKind::Timeout));
    assert!(cache.remove_many(["a", "b"]).unwrap_err().is_retryable());
    assert!(cache.clear().is_err());
}
