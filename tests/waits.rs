//! Bodies that need each other's loads: none of them waits for ever.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

/// Runs two calls at once, and waits for both.
fn both<T: Send + 'static>(calls: [fn() -> T; 2]) -> [T; 2] {
    let ended = calls.map(|call| {
        let (send, ended) = mpsc::channel();
        thread::spawn(move || send.send(call()));
        ended
    });
    ended.map(|ended| ended.recv_timeout(Duration::from_secs(60)).expect("a call hangs, or panicked"))
}

/// Brings the first two that come together, and lets all later ones pass.
struct Meeting {
    came: AtomicU32,
    barrier: Barrier,
}

impl Meeting {
    const fn new() -> Self {
        Meeting { came: AtomicU32::new(0), barrier: Barrier::new(2) }
    }

    fn meet(&self) {
        if self.came.fetch_add(1, Ordering::SeqCst) < 2 {
            self.barrier.wait();
        }
    }
}

/// In a tree that is a list. No id needs itself, but a list of ids may need one of another list that needs one of it.
fn parents_of(ids: &[u32]) -> Vec<u32> {
    ids.iter().filter_map(|id| id.checked_sub(1)).collect()
}

/// How deep these are, given how deep their parents are.
fn below(parents: &HashMap<u32, u32>, ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, id.checked_sub(1).map_or(0, |parent| parents[&parent] + 1))).collect()
}

#[test]
fn loads_of_several_that_need_ids_of_each_other_end() {
    static MEETING: Meeting = Meeting::new();

    #[cached(each = ids)]
    fn depths(ids: &[u32]) -> HashMap<u32, u32> {
        MEETING.meet();
        let parents = parents_of(ids);
        below(&if parents.is_empty() { HashMap::new() } else { depths(&parents) }, ids)
    }

    let [odd, even] = both([|| depths(&[3, 1]), || depths(&[2])]);
    assert_eq!((odd, even), (HashMap::from([(3, 3), (1, 1)]), HashMap::from([(2, 2)])));
    assert_eq!(depths(&[0, 1, 2, 3]).len(), 4);
    let before = depths::stats().loads;
    depths(&[0, 1, 2, 3]);
    assert_eq!(depths::stats().loads, before, "all of them are stored");
}

#[test]
fn guards_that_call_each_other_end() {
    static MEETING: Meeting = Meeting::new();

    #[cached(store_result = false)]
    fn left(number: u32) -> Option<&'static str> {
        MEETING.meet();
        right(number).flatten()
    }

    #[cached(store_result = false)]
    fn right(number: u32) -> Option<&'static str> {
        MEETING.meet();
        left(number).flatten()
    }

    let ran = both([|| left(1), || right(1)]);
    assert_eq!(ran, [Some(None), Some(None)], "each runs once, and sees that the other does");
    assert_eq!((left(1), right(1)), (None, None));
}

#[tokio::test]
async fn tasks_that_need_ids_of_each_other_end() {
    static CAME: AtomicU32 = AtomicU32::new(0);

    #[cached(each = ids)]
    async fn depths(ids: &[u32]) -> HashMap<u32, u32> {
        CAME.fetch_add(1, Ordering::SeqCst);
        while CAME.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        let parents = parents_of(ids);
        below(&if parents.is_empty() { HashMap::new() } else { Box::pin(depths(&parents)).await }, ids)
    }

    let both = async { tokio::join!(depths(&[3, 1]), depths(&[2])) };
    let (odd, even) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("a call hangs");
    assert_eq!((odd, even), (HashMap::from([(3, 3), (1, 1)]), HashMap::from([(2, 2)])));
}

#[cfg(feature = "shared")]
#[test]
fn so_do_loads_that_share_a_cache_but_have_no_local_level() {
    static MEETING: Meeting = Meeting::new();

    #[cached(each = ids, cache = "default", local = false)]
    fn depths(ids: &[u32]) -> HashMap<u32, u32> {
        MEETING.meet();
        let parents = parents_of(ids);
        below(&if parents.is_empty() { HashMap::new() } else { depths(&parents) }, ids)
    }

    let [odd, even] = both([|| depths(&[3, 1]), || depths(&[2])]);
    assert_eq!((odd, even), (HashMap::from([(3, 3), (1, 1)]), HashMap::from([(2, 2)])));
}

#[cfg(feature = "shared")]
#[test]
fn a_call_from_its_own_body_does_not_wait_for_the_lease_of_that_load() {
    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = "default", single_flight = "fleet")]
    fn again(number: u32) -> u32 {
        match RUNS.fetch_add(1, Ordering::SeqCst) {
            0 => again(number) + 1,
            _ => number,
        }
    }

    let (send, ended) = mpsc::channel();
    thread::spawn(move || send.send(again(7)));
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)).expect("it waits for itself"), 8);
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
}

#[cfg(feature = "shared")]
#[test]
fn nor_do_those_wait_for_each_other_whose_leader_failed() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static FIRST_ENDS: AtomicBool = AtomicBool::new(false);

    #[derive(Debug)]
    struct NotToBeCopied;

    /// The first run ends when it is told to, and the others when both of them are there.
    #[cached(cache = "default", single_flight = "fleet")]
    async fn fails() -> Result<u32, NotToBeCopied> {
        let is_first = RUNS.fetch_add(1, Ordering::SeqCst) == 0;
        let goes_on = || if is_first { FIRST_ENDS.load(Ordering::SeqCst) } else { RUNS.load(Ordering::SeqCst) == 3 };
        poll_fn(|_| if goes_on() { Poll::Ready(()) } else { Poll::Pending }).await;
        Err(NotToBeCopied)
    }

    let mut context = Context::from_waker(Waker::noop());
    let mut calls = [(); 3].map(|()| Box::pin(fails()));
    assert!(calls.iter_mut().all(|call| call.as_mut().poll(&mut context).is_pending()));
    FIRST_ENDS.store(true, Ordering::SeqCst);
    assert!(calls[0].as_mut().poll(&mut context).is_ready());
    let [_, second, third] = &mut calls;
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert!(third.as_mut().poll(&mut context).is_ready(), "it waits for the lease of the second one");
    assert!(second.as_mut().poll(&mut context).is_ready());
}
