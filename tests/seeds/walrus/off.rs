//! `Cache(…, debug=True)`: nothing is stored.

use crate::Runs;
use memokit::{Bucket, Cache, NullCache, cached};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

#[test]
fn a_dictionary_that_keeps_nothing_answers_every_operation() {
    let cache: Bucket<u32> = Bucket::new(Arc::new(NullCache), "walrus debug");
    cache.set("k1", &1).unwrap();
    cache.set_many(&HashMap::from([("k1", 1), ("k2", 2)])).unwrap();
    assert_eq!(cache.get("k1").unwrap(), None);
    assert_eq!(cache.get_many(["k1", "k2"]).unwrap(), [None, None]);
    assert!(!cache.remove("k1").unwrap());
    assert_eq!((cache.remove_many(["k1", "k2"]).unwrap(), cache.clear().unwrap()), (0, 0));
    assert_eq!(cache.keys().unwrap(), Vec::<String>::new());
    assert_eq!(cache.get_or_insert_with("k1", || 5).unwrap(), 5);
}

/// There an argument of the constructor. Here whoever registers the cache decides, by a setting for example.
#[test]
fn a_function_whose_cache_keeps_nothing_runs_every_time() {
    static RUNS: Runs = Runs::new();
    #[cached(cache = "walrus off", local = false, prefix = "walrus off")]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    memokit::register("walrus off", Arc::new(NullCache) as Arc<dyn Cache>);
    assert_eq!((f(1), f(1)), (11, 12));
    assert!(!f::invalidate(1).unwrap());
}

/// What has a local level, or nothing else.
#[test]
fn functions_are_switched_off_while_the_program_runs() {
    static OFF: AtomicBool = AtomicBool::new(false);
    static RUNS: Runs = Runs::new();
    #[cached(bypass = OFF.load(SeqCst))]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1), f(1)), (11, 11));
    OFF.store(true, SeqCst);
    assert_eq!((f(1), f(1)), (12, 13));
    OFF.store(false, SeqCst);
    assert_eq!(f(1), 11, "nothing was stored meanwhile");
}
