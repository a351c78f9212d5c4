//! What is stored when a load meets an invalidation, a refresh or a put on its way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

/// Two meetings of a body and the test: it has read its source, and it may return.
struct Meet {
    has_read: Barrier,
    may_return: Barrier,
}

impl Meet {
    const fn new() -> Self {
        Meet { has_read: Barrier::new(2), may_return: Barrier::new(2) }
    }

    fn in_body(&self) {
        self.has_read.wait();
        self.may_return.wait();
    }
}

/// A function whose first run stops between reading and returning, what the test does meanwhile, and what is stored.
macro_rules! while_a_load_is_under_way {
    ($($(#[$meta:meta])* $test:ident, $function:ident: $meanwhile:block, leader $leader:expr, then $then:block)+) => {$(
        $(#[$meta])*
        #[test]
        fn $test() {
            static SOURCE: AtomicU32 = AtomicU32::new(1);
            static RUNS: AtomicU32 = AtomicU32::new(0);
            static MEET: Meet = Meet::new();
            #[cached]
            fn $function(_key: u32) -> u32 {
                let value = SOURCE.load(SeqCst);
                if RUNS.fetch_add(1, SeqCst) == 0 {
                    MEET.in_body();
                }
                value
            }
            let leader = thread::spawn(|| $function(7));
            MEET.has_read.wait();
            SOURCE.store(2, SeqCst);
            $meanwhile
            MEET.may_return.wait();
            assert_eq!(leader.join().unwrap(), $leader, "what the load under way returned to its caller");
            $then
        }
    )+};
}

while_a_load_is_under_way! {
    invalidate_keeps_its_value_out, sample: {
        assert!(!sample::invalidate(7), "there was no entry yet");
    }, leader 1, then {
        assert!(!sample::contains(7));
        assert_eq!((sample(7), sample(7)), (2, 2));
        assert_eq!(sample::stats().discarded, 1);
    }

    invalidate_all_keeps_its_value_out, sample: {
        sample::invalidate_all();
    }, leader 1, then {
        assert!(!sample::contains(7));
        assert_eq!((sample(7), sample(7)), (2, 2));
        assert_eq!(sample::stats().discarded, 1);
    }

    invalidate_of_another_key_leaves_it_alone, sample: {
        assert!(!sample::invalidate(8));
    }, leader 1, then {
        assert_eq!((sample::peek(7), sample::stats().discarded), (Some(1), 0));
    }

    a_caller_after_an_invalidation_loads_for_itself, sample: {
        sample::invalidate(7);
        assert_eq!(sample(7), 2);
        assert_eq!(RUNS.load(SeqCst), 2);
    }, leader 1, then {
        assert_eq!((sample(7), RUNS.load(SeqCst)), (2, 2));
    }

    a_caller_after_invalidate_all_loads_for_itself, sample: {
        sample::invalidate_all();
        assert_eq!(sample(7), 2);
    }, leader 1, then {
        assert_eq!((sample(7), RUNS.load(SeqCst)), (2, 2));
    }

    a_refresh_is_newer, sample: {
        assert_eq!(sample::refresh(7), 2);
    }, leader 1, then {
        assert_eq!((sample(7), sample::stats().discarded), (2, 1));
    }

    a_put_is_newer, sample: {
        sample::put(7, 50);
        assert_eq!(sample(7), 50, "a caller meanwhile finds it");
    }, leader 1, then {
        assert_eq!((sample(7), sample::stats().discarded), (50, 1));
    }

    a_put_and_an_invalidation_leave_nothing, sample: {
        sample::put(7, 50);
        assert!(sample::invalidate(7));
    }, leader 1, then {
        assert!(!sample::contains(7));
    }

    an_uncached_run_changes_nothing, sample: {
        assert_eq!(sample::uncached(7), 2);
    }, leader 1, then {
        assert_eq!(sample::peek(7), Some(1));
    }

    peek_and_contains_do_not_wait, sample: {
        assert_eq!((sample::peek(7), sample::contains(7)), (None, false));
    }, leader 1, then {
        assert_eq!(sample::peek(7), Some(1));
    }
}

#[test]
fn a_refresh_that_began_before_an_invalidation_is_not_stored() {
    static MEET: Meet = Meet::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> u32 {
        if RUNS.fetch_add(1, SeqCst) == 1 {
            MEET.in_body();
        }
        n
    }
    assert_eq!(sample(1), 1);
    let refresh = thread::spawn(|| sample::refresh(1));
    MEET.has_read.wait();
    assert_eq!(sample(1), 1, "a hit does not wait for a refresh");
    assert!(sample::invalidate(1));
    MEET.may_return.wait();
    assert_eq!(refresh.join().unwrap(), 1);
    assert!(!sample::contains(1));
}

#[test]
fn of_two_refreshes_the_one_that_began_last_counts() {
    static MEET: Meet = Meet::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(_key: u32) -> u32 {
        let run = RUNS.fetch_add(1, SeqCst);
        if run == 0 {
            MEET.in_body();
        }
        run
    }
    let older = thread::spawn(|| sample::refresh(1));
    MEET.has_read.wait();
    assert_eq!(sample::refresh(1), 1);
    MEET.may_return.wait();
    assert_eq!(older.join().unwrap(), 0);
    assert_eq!(sample(1), 1);
}

#[test]
fn a_newer_load_that_fails_leaves_the_older_one_to_store() {
    static MEET: Meet = Meet::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> Result<u32, String> {
        if RUNS.fetch_add(1, SeqCst) == 0 {
            MEET.in_body();
            return Ok(n);
        }
        Err("down".into())
    }
    let older = thread::spawn(|| sample(1));
    MEET.has_read.wait();
    assert_eq!(sample::refresh(1), Err("down".into()));
    MEET.may_return.wait();
    assert_eq!((older.join().unwrap(), sample::peek(1)), (Ok(1), Some(1)));
}

#[test]
fn an_invalidation_inside_of_the_body_keeps_its_value_out() {
    #[cached]
    fn one(n: u32) -> u32 {
        one::invalidate(n);
        n
    }
    #[cached]
    fn all(n: u32) -> u32 {
        all::invalidate_all();
        n
    }
    assert_eq!((one(1), one(1), all(1), all(1)), (1, 1, 1, 1));
    assert!(!one::contains(1) && !all::contains(1));
    assert_eq!((one::stats().loads, all::stats().loads), (2, 2));
}

#[test]
fn a_put_inside_of_the_body_is_newer_than_what_the_body_returns() {
    #[cached]
    fn sample(n: u32) -> u32 {
        sample::put(n, 50);
        n
    }
    assert_eq!((sample(1), sample(1)), (1, 50));
}
