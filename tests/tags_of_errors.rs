//! The tags of a load that fails: its error may be what others are made of, and may be void as a value may.
//!
//! Tasks are polled by hand, so it is certain who waits for whom.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::{cached, invalidate_tag};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

fn poll<F: Future>(task: &mut Pin<&mut F>) -> Poll<F::Output> {
    task.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The first run of a body waits until it is let go, and fails then.
struct FailsOnce {
    runs: AtomicU32,
    goes_on: AtomicBool,
}

impl FailsOnce {
    const fn new() -> Self {
        FailsOnce { runs: AtomicU32::new(0), goes_on: AtomicBool::new(false) }
    }

    async fn load(&self, id: u32) -> Result<u32, String> {
        if self.runs.fetch_add(1, Ordering::SeqCst) > 0 {
            return Ok(id);
        }
        poll_fn(|_| if self.goes_on.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
        Err("not there".to_owned())
    }

    fn go_on(&self) {
        self.goes_on.store(true, Ordering::SeqCst);
    }
}

#[test]
fn an_error_is_not_given_to_a_call_that_began_after_its_tag_was_invalidated() {
    static BODY: FailsOnce = FailsOnce::new();

    #[cached(tags = [format!("void error {id}")])]
    async fn user(id: u32) -> Result<u32, String> {
        BODY.load(id).await
    }

    let mut before = pin!(user(7));
    assert!(poll(&mut before).is_pending());
    invalidate_tag("void error 7").unwrap();
    let mut after = pin!(user(7));
    assert!(poll(&mut after).is_pending());
    BODY.go_on();
    assert_eq!(poll(&mut before), Poll::Ready(Err("not there".to_owned())), "it was loading");
    assert_eq!(poll(&mut after), Poll::Ready(Ok(7)), "it began after the invalidation");
}

#[test]
fn what_is_made_of_another_callers_error_goes_with_its_tags() {
    static BODY: FailsOnce = FailsOnce::new();

    #[cached(tags = [format!("joined error {id}")])]
    async fn user(id: u32) -> Result<u32, String> {
        BODY.load(id).await
    }

    #[cached]
    async fn greeting(id: u32) -> String {
        user(id).await.map_or_else(|error| error, |id| format!("user {id}"))
    }

    let mut leads = pin!(user(7));
    assert!(poll(&mut leads).is_pending());
    let mut joins = pin!(greeting(7));
    assert!(poll(&mut joins).is_pending());
    BODY.go_on();
    assert_eq!(poll(&mut leads), Poll::Ready(Err("not there".to_owned())));
    assert_eq!(poll(&mut joins), Poll::Ready("not there".to_owned()));
    invalidate_tag("joined error 7").unwrap();
    assert_eq!(poll(&mut pin!(greeting(7))), Poll::Ready("user 7".to_owned()));
}

#[test]
fn what_is_made_of_a_failed_load_of_several_goes_with_its_tags() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[cached(each = ids, tags = [format!("failed each {tenant}")])]
    fn users(tenant: u32, ids: &[u32]) -> Result<HashMap<u32, u32>, String> {
        match RUNS.fetch_add(1, Ordering::SeqCst) {
            0 => Err("not there".to_owned()),
            _ => Ok(ids.iter().map(|id| (*id, tenant)).collect()),
        }
    }

    #[cached]
    fn count(tenant: u32) -> usize {
        users(tenant, &[1, 2]).map_or(0, |users| users.len())
    }

    assert_eq!(count(3), 0);
    invalidate_tag("failed each 3").unwrap();
    assert_eq!(count(3), 2);
}
