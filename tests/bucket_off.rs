//! Caching that is switched off by a cache that stores nothing.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::{Bucket, Cache, ErrorKind, NullCache, Pruned, cached, register};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn every_operation_is_answered_and_nothing_is_stored() {
    let bucket: Bucket<u32> = Bucket::new(Arc::new(NullCache), "off").timeout(MINUTE).unwrap();
    bucket.set("a", &1).unwrap();
    bucket.set_many([("a", &1), ("b", &2)]).unwrap();
    bucket.set_with_timeout("a", &1, MINUTE).unwrap();
    assert!(bucket.add("a", &1).unwrap() && bucket.add("a", &1).unwrap());
    assert_eq!((bucket.get("a").unwrap(), bucket.contains("a").unwrap()), (None, false));
    assert_eq!(bucket.get_many(["a", "b"]).unwrap(), [None, None]);
    assert_eq!((bucket.remove("a").unwrap(), bucket.remove_many(["a", "b"]).unwrap()), (false, 0));
    assert_eq!((bucket.increment("n", 5).unwrap(), bucket.increment("n", 5).unwrap()), (5, 5));
    assert!(!bucket.touch("a", None).unwrap());
    assert_eq!(
        (bucket.keys().unwrap().len(), bucket.clear().unwrap(), bucket.prune().unwrap()),
        (0, 0, Pruned::default())
    );
    assert_eq!((bucket.get_or_insert_with("a", || 1).unwrap(), bucket.get_or_insert_with("a", || 2).unwrap()), (1, 2));
    let kept = bucket.in_memory(10, MINUTE).unwrap();
    kept.set("a", &1).unwrap();
    assert_eq!(kept.get("a").unwrap(), None, "a copy of nothing");
}

#[tokio::test]
async fn twins_and_keys_are_those_of_any_cache() {
    let cache: Arc<dyn Cache> = Arc::new(NullCache);
    cache.set_async("k", b"v", None).await.unwrap();
    assert_eq!(cache.get_async("k").await.unwrap(), None);
    assert_eq!(cache.get("").unwrap_err().kind(), ErrorKind::Key);
    assert_eq!(cache.set(&"x".repeat(500), b"", None).unwrap_err().kind(), ErrorKind::Key);
}

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(cache = "switched off", local = false)]
fn counted(n: u32) -> u32 {
    RUNS.fetch_add(1, SeqCst);
    n
}

#[test]
fn a_function_without_a_local_level_runs_each_time() {
    register("switched off", Arc::new(NullCache));
    assert_eq!((counted(1), counted(1), RUNS.load(SeqCst)), (1, 1, 2));
    assert!(!counted::invalidate(1).unwrap());
    counted::put(1, 5).unwrap();
    assert_eq!((counted(1), counted::stats().backend_errors), (1, 0));
}
