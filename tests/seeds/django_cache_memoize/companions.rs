//! `invalidate`, `_refresh`, `get_cache_key` and `__wrapped__`.

use crate::Runs;
use memokit::cached;

#[test]
fn invalidate_drops_one_call_and_does_not_run_the_body() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(a: u32, b: u32) -> u32 {
        a + b + 100 * RUNS.up()
    }
    assert_eq!((f(1, 2), f(3, 4)), (103, 207));
    f::invalidate(1, 2);
    assert_eq!(RUNS.count(), 2);
    assert_eq!((f(3, 4), f(1, 2)), (207, 303), "the other call stays");
}

/// There it returns nothing. Here it says whether there was something.
#[test]
fn invalidate_says_whether_there_was_something() {
    #[cached]
    fn f(n: u32) -> u32 {
        n
    }
    assert!(!f::invalidate(1));
    f(1);
    assert!(f::invalidate(1));
    assert!(!f::invalidate(1));
}

/// There, `invalidate(…, _refresh=True)` is accepted so that it can take what a call takes. Here a switch like that is an
/// argument of the function, and the companions take all arguments.
#[test]
fn invalidate_takes_what_a_call_takes() {
    #[cached(refresh = again)]
    fn f(n: u32, again: bool) -> u32 {
        n
    }
    f(1, false);
    assert!(f::invalidate(1, true));
    assert!(!f::contains(1, false));
}

#[test]
fn refresh_runs_the_body_stores_and_returns_the_new_value() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1), f(1)), (11, 11));
    assert_eq!(f::refresh(1), 12);
    assert_eq!((f(1), RUNS.count()), (12, 2));
    assert_eq!((f::refresh(2), f(2)), (23, 23), "also where there was nothing");
}

#[test]
fn refresh_as_an_argument_leaves_the_key() {
    static RUNS: Runs = Runs::new();
    #[cached(refresh = again)]
    fn f(n: u32, again: bool) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1, false), f(1, true), f(1, false)), (11, 12, 12));
}

#[test]
fn get_cache_key_differs_with_the_arguments() {
    #[cached(cache = "default", prefix = "seeds key differs")]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!(f::key(1).unwrap(), f::key(1).unwrap());
    assert_ne!(f::key(1).unwrap(), f::key(2).unwrap());
    assert_eq!(f::stats().loads, 0, "asking for a key is no call");
}

/// `__wrapped__`.
#[test]
fn uncached_is_the_body_alone() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f::uncached(1), f::uncached(1), f::contains(1)), (11, 12, false));
}

/// Absent there, and asked for three times.
#[test]
fn invalidate_all_drops_every_call_of_one_function() {
    #[cached]
    fn f(n: u32) -> u32 {
        n
    }
    #[cached]
    fn g(n: u32) -> u32 {
        n
    }
    for n in 0..100 {
        f(n);
        g(n);
    }
    f::invalidate_all();
    assert!((0..100).all(|n| !f::contains(n) && g::contains(n)));
}
