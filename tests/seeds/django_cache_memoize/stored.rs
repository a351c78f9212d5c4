//! `extra`, `store_result` and `cache_exceptions`.

use crate::{MILLI, Runs, SECOND};
use memokit::cached;
use memokit::testing::MockClock;
use std::cell::Cell;

mod swedish {
    #[memokit::cached(cache = "default", prefix = "seeds extra", extra = "sv")]
    pub(super) fn hello(n: u32) -> String {
        format!("hej {n}")
    }
}

mod english {
    #[memokit::cached(cache = "default", prefix = "seeds extra", extra = "en")]
    pub(super) fn hello(n: u32) -> String {
        format!("hello {n}")
    }
}

#[test]
fn extra_is_part_of_the_key() {
    assert_eq!((swedish::hello(1), english::hello(1)), ("hej 1".into(), "hello 1".into()));
    assert_eq!((swedish::hello(1), english::hello(1)), ("hej 1".into(), "hello 1".into()));
    assert_ne!(swedish::hello::key(1).unwrap(), english::hello::key(1).unwrap());
    assert!(swedish::hello::invalidate(1).unwrap());
    assert!(english::hello::contains(1).unwrap());
}

/// There a function of the arguments, which must give something JSON can write.
#[test]
fn extra_can_be_computed() {
    thread_local! {
        static TENANT: Cell<u32> = const { Cell::new(0) };
    }
    #[cached(extra = (TENANT.get(), n % 2))]
    fn f(n: u32) -> String {
        format!("{n} of {}", TENANT.get())
    }
    assert_eq!(f(1), "1 of 0");
    TENANT.set(7);
    assert_eq!((f(1), f(1)), ("1 of 7".into(), "1 of 7".into()));
    assert!(f::invalidate(1), "that of tenant 7");
    TENANT.set(0);
    assert!(f::contains(1), "that of tenant 0 stays");
    assert_eq!(f::stats().loads, 2);
}

#[test]
fn extra_stands_beside_a_key_of_ones_own() {
    thread_local! {
        static TENANT: Cell<u32> = const { Cell::new(0) };
    }
    #[cached(key = name.to_lowercase(), extra = TENANT.get())]
    fn f(name: &str) -> String {
        format!("{name} of {}", TENANT.get())
    }
    assert_eq!((f("Ann"), f("ANN")), ("Ann of 0".into(), "Ann of 0".into()));
    TENANT.set(1);
    assert_eq!(f("ANN"), "ANN of 1");
}

/// There, the second call returns `True`, whatever the function returns.
#[test]
fn a_guard_runs_once_and_says_so() {
    static RUNS: Runs = Runs::new();
    #[cached(store_result = false, timeout = 10)]
    fn remind(user: u32) -> String {
        format!("{user}, run {}", RUNS.up())
    }
    let clock = MockClock::install();
    assert_eq!(remind(7).as_deref(), Some("7, run 1"));
    assert_eq!((remind(7), remind(7)), (None, None));
    assert_eq!(remind(8).as_deref(), Some("8, run 2"));
    clock.advance(10 * SECOND);
    assert_eq!(remind(7).as_deref(), Some("7, run 3"));
    assert!(remind::invalidate(7));
    assert_eq!(remind(7).as_deref(), Some("7, run 4"));
}

/// There, with `cache_exceptions`, the second call returns `True` where the first one raised.
#[test]
fn a_guard_whose_body_failed_has_not_run() {
    static RUNS: Runs = Runs::new();
    #[cached(store_result = false)]
    fn remind(user: u32) -> Result<u32, String> {
        if RUNS.up() == 1 { Err("busy".into()) } else { Ok(user) }
    }
    assert_eq!((remind(7), remind(7), remind(7)), (Err("busy".into()), Ok(Some(7)), Ok(None)));
}

/// Kinds of failure, and one that has kinds of its own, as a derived class has there.
#[derive(Clone, Debug, PartialEq)]
enum Failed {
    Missing,
    Busy,
    Refused(u16),
}

static RUNS: Runs = Runs::new();

fn fail(n: u32) -> Result<u32, Failed> {
    RUNS.up();
    match n {
        0 => Err(Failed::Missing),
        1 => Err(Failed::Busy),
        404 => Err(Failed::Refused(404)),
        500 => Err(Failed::Refused(500)),
        n => Ok(n),
    }
}

#[test]
fn an_error_of_the_named_kind_is_stored() {
    #[cached(cache_err = |error| *error == Failed::Missing)]
    fn f(n: u32) -> Result<u32, Failed> {
        fail(n)
    }
    assert_eq!((f(0), f(0)), (Err(Failed::Missing), Err(Failed::Missing)));
    assert_eq!((f::stats().loads, f::stats().hits()), (1, 1));
}

#[test]
fn an_unrelated_error_is_not_stored() {
    #[cached(cache_err = |error| *error == Failed::Missing)]
    fn f(n: u32) -> Result<u32, Failed> {
        fail(n)
    }
    assert_eq!((f(1), f(1)), (Err(Failed::Busy), Err(Failed::Busy)));
    assert_eq!(f::stats().loads, 2);
    assert_eq!((f(5), f(5), f::stats().loads), (Ok(5), Ok(5), 3), "and a value is");
}

/// A tuple of classes there.
#[test]
fn errors_of_several_kinds_are_stored() {
    #[cached(cache_err = |error| matches!(error, Failed::Missing | Failed::Busy))]
    fn f(n: u32) -> Result<u32, Failed> {
        fail(n)
    }
    for n in [0, 1, 404] {
        assert_eq!(f(n), f(n));
    }
    assert_eq!((f::contains(0), f::contains(1), f::contains(404)), (true, true, false));
}

/// A base class there, which stands for those derived from it.
#[test]
fn an_error_of_a_kind_within_a_kind_is_stored() {
    #[cached(cache_err = |error| matches!(error, Failed::Refused(_)))]
    fn f(n: u32) -> Result<u32, Failed> {
        fail(n)
    }
    for n in [404, 500, 0] {
        let _ = f(n);
    }
    assert_eq!((f::contains(404), f::contains(500), f::contains(0)), (true, true, false));
    assert_eq!(f(404), Err(Failed::Refused(404)));
}

#[test]
fn all_errors_are_stored() {
    #[cached(cache_err = true)]
    fn f(n: u32) -> Result<u32, Failed> {
        fail(n)
    }
    for n in [0, 1, 404, 7] {
        assert_eq!(f(n), f(n));
    }
    assert_eq!((f::stats().loads, f::stats().hits()), (4, 4));
}

/// There for the timeout of values, always.
#[test]
fn an_error_is_stored_for_a_time_of_its_own() {
    #[cached(timeout = 100, cache_err = true, err_timeout = 10)]
    fn f(n: u32) -> Result<u32, Failed> {
        fail(n)
    }
    let clock = MockClock::install();
    assert_eq!((f(0), f(7)), (Err(Failed::Missing), Ok(7)));
    clock.advance(9_999 * MILLI);
    assert!(f::contains(0) && f::contains(7));
    clock.advance(MILLI);
    assert!(!f::contains(0) && f::contains(7));
}

#[test]
fn refresh_and_invalidate_are_about_stored_errors_too() {
    static TRIES: Runs = Runs::new();
    #[cached(cache_err = true)]
    fn f(n: u32) -> Result<u32, Failed> {
        if TRIES.up() < 3 { Err(Failed::Busy) } else { Ok(n) }
    }
    assert_eq!((f(1), f(1)), (Err(Failed::Busy), Err(Failed::Busy)));
    assert!(f::invalidate(1));
    assert_eq!((f(1), TRIES.count()), (Err(Failed::Busy), 2));
    assert_eq!((f::refresh(1), f(1)), (Ok(1), Ok(1)));
}
