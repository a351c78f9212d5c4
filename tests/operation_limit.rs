//! A backend whose operations hang: a task waits for each at most for the operation timeout.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::testing::{Fault, Faulty, MockClock, Operation};
use memokit::{Cache, ErrorKind, MemoryCache, cached};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Longer than anything takes; what takes so long hangs.
const HANGS: Duration = Duration::from_secs(60);

static HANGING: LazyLock<Arc<Faulty>> = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));

#[cached(cache = Arc::clone(&*HANGING) as Arc<dyn Cache>)]
async fn slow(n: u32) -> u32 {
    n + 1
}

/// What a task returns of which one operation hangs: it waits until the operation timeout is over, and no longer.
async fn waited<T: Send + 'static>(clock: &MockClock, task: impl Future<Output = T> + Send + 'static) -> T {
    let task = tokio::spawn(task);
    // This thread polls both, so the operation has read the clock once it hangs.
    while HANGING.hanging() == 0 {
        assert!(!task.is_finished(), "nothing hangs");
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_millis(499));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!task.is_finished(), "before its time");
    clock.advance(Duration::from_millis(1));
    tokio::time::timeout(HANGS, task).await.expect("the task waits on").unwrap()
}

#[tokio::test]
async fn a_task_waits_for_an_operation_for_half_a_second() {
    let clock = MockClock::install();
    let hang = HANGING.inject(Fault::hang().on(Operation::Read));
    assert_eq!(waited(&clock, slow(1)).await, 2);
    assert_eq!(HANGING.hanging(), 0, "its future is dropped");
    assert_eq!(slow::stats().backend_errors, 1);
    assert_eq!(slow::stats().loads, 1);
    HANGING.withdraw(hang);

    HANGING.inject(Fault::hang().on(Operation::Store));
    assert_eq!(waited(&clock, slow(2)).await, 3);
    HANGING.inject(Fault::hang().on(Operation::Invalidate));
    let error = waited(&clock, slow::invalidate(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("it is queued"), "{error}");
    assert_eq!(waited(&clock, slow::invalidate_all()).await.unwrap_err().kind(), ErrorKind::Timeout);

    HANGING.heal();
    // What is owed goes first: applied between the two calls it would take the entry of the first.
    for step in 0.. {
        if memokit::health(&(Arc::clone(&*HANGING) as Arc<dyn Cache>)).owed == 0 {
            break;
        }
        assert!(step < 5_000, "what is owed is never applied");
        clock.advance(Duration::from_millis(50));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(slow(3).await, 4);
    assert!(slow::invalidate(3).await.unwrap());
}
