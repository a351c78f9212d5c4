//! A backend whose operations hang: a task waits for each at most for the operation timeout.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::testing::{Fault, Faulty, MockClock, Operation};
use memokit::{Cache, ErrorKind, MemoryCache, cached};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static HANGING: LazyLock<Arc<Faulty>> = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));

#[cached(cache = Arc::clone(&*HANGING) as Arc<dyn Cache>)]
async fn slow(n: u32) -> u32 {
    n + 1
}

/// Lets time pass until a task is done, and how much: the operation timeout for each operation that hangs.
async fn waited<T: Send + 'static>(
    clock: &MockClock,
    step: u32,
    task: impl Future<Output = T> + Send + 'static,
) -> (T, u32) {
    let task = tokio::spawn(task);
    let mut steps = 0;
    while !task.is_finished() {
        // Only while it hangs: the time that this machine takes is not that of the test's clock.
        if HANGING.hanging() > 0 {
            clock.advance(Duration::from_millis(step.into()));
            steps += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (task.await.unwrap(), steps * step)
}

#[tokio::test]
async fn a_task_waits_for_an_operation_for_half_a_second() {
    let clock = MockClock::install();
    let hang = HANGING.inject(Fault::hang().on(Operation::Read));
    let (value, millis) = waited(&clock, 50, slow(1)).await;
    assert_eq!(value, 2);
    assert!((500..=600).contains(&millis), "{millis} ms");
    assert_eq!(HANGING.hanging(), 0, "its future is dropped");
    assert_eq!(slow::stats().backend_errors, 1);
    assert_eq!(slow::stats().loads, 1);
    HANGING.withdraw(hang);

    HANGING.inject(Fault::hang().on(Operation::Store));
    let (value, millis) = waited(&clock, 50, slow(2)).await;
    assert_eq!(value, 3);
    assert!((500..=600).contains(&millis), "{millis} ms");
    HANGING.inject(Fault::hang().on(Operation::Invalidate));
    let (error, millis) = waited(&clock, 50, slow::invalidate(2)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("it is queued"), "{error}");
    assert!((500..=600).contains(&millis), "{millis} ms");

    let (error, millis) = waited(&clock, 50, slow::invalidate_all()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    assert!((500..=600).contains(&millis), "{millis} ms");

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
