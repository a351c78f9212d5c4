//! What the code of values may do, and what a load may wait for: nothing hangs.

use memokit::cached;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A value whose end uses the cache it was in.
#[derive(Clone)]
struct Nosy;

impl Drop for Nosy {
    fn drop(&mut self) {
        unstored::invalidate(1);
    }
}

#[cached]
fn unstored(n: u8) -> Nosy {
    unstored::invalidate(n);
    Nosy
}

#[test]
fn a_value_that_is_not_stored_may_use_the_cache_as_it_goes() {
    let _value = unstored(1);
    assert_eq!(unstored::stats().discarded, 1);
}

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(prefix = "one of threads and tasks")]
fn by_thread(n: u32) -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst);
    n
}

#[cached(prefix = "one of threads and tasks")]
async fn by_task(n: u32) -> u32 {
    tokio::task::yield_now().await;
    n
}

/// The task leads and yields; then its only thread calls the function of the same prefix, and must not wait for it.
#[tokio::test(flavor = "current_thread")]
async fn a_thread_does_not_wait_for_a_task_that_needs_it() {
    let leader = tokio::spawn(by_task(7));
    tokio::task::yield_now().await;
    assert_eq!(by_thread(7), 7);
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
    let done = tokio::time::timeout(Duration::from_secs(60), leader).await;
    assert_eq!(done.expect("nothing hangs").expect("no panic"), 7);
}

static ANSWER: AtomicU32 = AtomicU32::new(0);

fn answer() -> Option<u32> {
    Some(ANSWER.load(Ordering::SeqCst)).filter(|answer| *answer > 0)
}

#[cached(cache_none = false)]
fn locally() -> Option<u32> {
    answer()
}

#[cached(cache_none = false, cache = "default")]
fn shared() -> Option<u32> {
    answer()
}

#[test]
fn a_refresh_that_brings_nothing_to_keep_drops_what_was_kept() -> Result<(), memokit::Error> {
    ANSWER.store(7, Ordering::SeqCst);
    assert_eq!((locally(), shared()), (Some(7), Some(7)));
    ANSWER.store(0, Ordering::SeqCst);
    assert_eq!((locally::refresh(), shared::refresh()?), (None, None));
    assert_eq!((locally(), shared()), (None, None));
    assert_eq!((locally::peek(), shared::peek()?), (None, None));
    Ok(())
}
