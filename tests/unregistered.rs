//! A name that nobody registered. In a binary of its own, since `memokit::check` looks at every function there is.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::{ErrorKind, MemoryCache, cached};
use std::sync::Arc;

#[cached(cache = "nobody")]
fn lonely(n: u32) -> u32 {
    n + 1
}

#[cached(cache = "nobody", local = false)]
async fn lonely_task(n: u32) -> u32 {
    n + 1
}

#[tokio::test]
async fn a_function_without_its_cache_runs_with_its_local_level() {
    let error = memokit::check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRegistered);
    for part in ["`nobody`", "lonely", "memokit::register(\"nobody\", …)"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(memokit::cache("nobody").err().unwrap().kind(), ErrorKind::NotRegistered);

    assert_eq!((lonely(1), lonely(1), lonely(2), lonely(3)), (2, 2, 3, 4));
    let stats = lonely::stats();
    assert_eq!((stats.local_hits, stats.loads, stats.backend_errors), (1, 3, 1), "it is reported once");
    assert_eq!((lonely_task(1).await, lonely_task(1).await), (2, 2));
    assert_eq!((lonely_task::stats().loads, lonely_task::stats().backend_errors), (2, 1));

    assert!(lonely::contains(1).unwrap(), "the local level knows");
    for error in [
        lonely::invalidate(1).unwrap_err(),
        lonely::invalidate_all().unwrap_err(),
        lonely::peek(9).unwrap_err(),
        lonely::put(9, 9).unwrap_err(),
        lonely::refresh(9).unwrap_err(),
        lonely_task::invalidate(1).await.unwrap_err(),
        lonely_task::put(1, 1).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotRegistered);
    }
    assert_eq!(lonely::stats().backend_errors, 1);

    assert!(memokit::register("nobody", Arc::new(MemoryCache::new())).is_none());
    memokit::check().unwrap();
    lonely(1);
    lonely_task(1).await;
    assert_eq!((lonely_task(1).await, lonely_task::stats().shared_hits), (2, 1));
    assert!(lonely::invalidate(1).unwrap());
    let replaced = memokit::register("nobody", Arc::new(MemoryCache::new()));
    assert!(replaced.is_some());
    lonely_task(1).await;
    assert_eq!(lonely_task::stats().shared_hits, 1, "the new one is empty");
}
