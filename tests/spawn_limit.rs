//! How many threads `f::spawn` takes, and what it does when there are no more. A binary of its own, and one test after
//! the other, since the threads are those of the whole process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::{Pending, cached};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Longer than any test; a test that waits for so long has hung.
const HANGS: Duration = Duration::from_secs(60);

static ONE_TEST: Mutex<()> = Mutex::new(());

fn get<T>(mut pending: Pending<T>) -> T {
    pending.wait_timeout(HANGS).expect("the test hangs")
}

#[test]
fn bodies_that_spawn_and_wait_never_run_out_of_threads() {
    let _one = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    // A tree that is far wider than there are threads: every inner node waits for its children.
    #[cached(ignore = level)]
    fn node(id: u32, level: u32) -> u32 {
        if level == 0 {
            return 1;
        }
        let children: Vec<_> = (0..5).map(|child| node::spawn(id * 5 + child + 1, level - 1)).collect();
        1 + children.into_iter().map(Pending::wait).sum::<u32>()
    }
    assert_eq!(get(node::spawn(0, 5)), 1 + 5 + 25 + 125 + 625 + 3125);
    assert_eq!(node::stats().loads, 3906);
}

#[test]
fn threads_that_are_idle_are_used_again() {
    let _one = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    let mut threads: HashSet<ThreadId> = HashSet::new();
    // Fewer threads than one each, though other tests take some of them in between.
    for _ in 0..1000 {
        threads.insert(get(Pending::spawn(|| thread::current().id())));
    }
    assert!(threads.len() < 500, "{} threads", threads.len());
}

#[test]
fn where_no_thread_is_free_the_work_is_done_in_place() {
    let _one = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    static OPEN: Mutex<bool> = Mutex::new(false);
    static CHANGED: Condvar = Condvar::new();
    struct Opens;
    impl Drop for Opens {
        fn drop(&mut self) {
            *OPEN.lock().unwrap() = true;
            CHANGED.notify_all();
        }
    }
    let opens = Opens;
    let here = thread::current().id();
    let in_place = Arc::new(AtomicBool::new(false));
    let mut held = Vec::new();
    // Each takes a thread for itself, until there are no more.
    while !in_place.load(SeqCst) {
        let in_place = Arc::clone(&in_place);
        held.push(Pending::spawn(move || {
            if thread::current().id() == here {
                in_place.store(true, SeqCst);
            } else {
                drop(CHANGED.wait_while(OPEN.lock().unwrap(), |open| !*open).unwrap());
            }
        }));
        assert!(held.len() <= 257, "there is no bound");
    }
    assert!(held.last().unwrap().is_done());
    // Also what panics in place is delivered, not thrown at whoever spawns.
    let mut panics = Pending::spawn(|| assert_eq!(1, 2, "in place"));
    assert!(catch_unwind(AssertUnwindSafe(|| panics.wait_timeout(HANGS))).is_err());
    drop(opens);
    held.into_iter().for_each(get);
}
