//! Hooks, and the options that steer single calls: `bypass`, `refresh`, `single_flight`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::{CallInfo, Level, cached};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

mod hooks {
    use super::*;

    static HITS: AtomicU32 = AtomicU32::new(0);
    static MISSES: AtomicU32 = AtomicU32::new(0);

    fn hit(call: &CallInfo<'_>) {
        assert_eq!(call.function(), concat!(module_path!(), "::told"));
        assert_eq!(call.level(), Some(Level::Local));
        assert!(call.age().is_some() && call.load_time().is_none());
        let left = call.time_to_expiry().unwrap();
        assert!(left.as_secs() <= 100 && left.as_secs() > 10, "{left:?}");
        HITS.fetch_add(1, SeqCst);
    }

    fn miss(call: &CallInfo<'_>) {
        assert_eq!(call.function(), concat!(module_path!(), "::told"));
        assert!(call.level().is_none() && call.age().is_none() && call.time_to_expiry().is_none());
        assert!(call.load_time().is_some());
        MISSES.fetch_add(1, SeqCst);
    }

    #[cached(timeout = 100, on_hit = hit, on_miss = miss)]
    fn told(n: u32) -> u32 {
        n
    }

    #[test]
    fn paths_are_told_of_hits_and_misses() {
        assert_eq!((told(1), told(1), told(2), told(1)), (1, 1, 2, 1));
        assert_eq!((HITS.load(SeqCst), MISSES.load(SeqCst)), (2, 2));
        assert_eq!(told::peek(1), Some(1));
        assert!(told::contains(1));
        assert_eq!((HITS.load(SeqCst), MISSES.load(SeqCst)), (2, 2), "peek and contains are no calls");
        assert_eq!(told::stats().hook_panics, 0);
    }

    #[test]
    fn closures_are_told_too() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        #[cached(on_hit = |call| { assert!(call.time_to_expiry().is_none()); COUNT.fetch_add(100, SeqCst); },
                 on_miss = |_| { COUNT.fetch_add(1, SeqCst); })]
        fn told(n: u32) -> u32 {
            n
        }
        assert_eq!((told(1), told(1), told(1)), (1, 1, 1));
        assert_eq!(COUNT.load(SeqCst), 201);
        assert_eq!(told::stats().hook_panics, 0);
    }

    #[test]
    fn a_panicking_hook_never_fails_the_call_and_is_counted() {
        #[cached(on_hit = |_| panic!("from a hook: this text belongs into the test's output"),
                 on_miss = |_| panic!("from a hook: this text belongs into the test's output"))]
        fn told(n: u32) -> u32 {
            n
        }
        assert_eq!((told(1), told(1), told(1)), (1, 1, 1));
        assert_eq!(told::stats().hook_panics, 3);
        assert_eq!((told::stats().hits(), told::stats().loads), (2, 1));
    }

    #[test]
    fn a_failed_load_is_told_as_a_miss() {
        static TOLD: AtomicU32 = AtomicU32::new(0);
        #[cached(on_miss = |_| { TOLD.fetch_add(1, SeqCst); })]
        fn fails(n: u32) -> Result<u32, String> {
            Err(n.to_string())
        }
        assert_eq!((fails(1), fails(1)), (Err("1".into()), Err("1".into())));
        assert_eq!(TOLD.load(SeqCst), 2);
    }

    #[test]
    fn a_hook_may_call_the_function_it_is_told_of() {
        #[cached(on_miss = |_| assert_eq!(reentrant(7), 7))]
        fn reentrant(n: u32) -> u32 {
            n
        }
        assert_eq!((reentrant(7), reentrant(7)), (7, 7));
        assert_eq!((reentrant::stats().loads, reentrant::stats().hook_panics), (1, 0));
    }
}

mod bypass {
    use super::*;

    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[cached(bypass = live)]
    fn sample(n: u32, live: bool) -> u32 {
        n * 100 + run(&RUNS)
    }

    #[test]
    fn neither_reads_nor_writes_and_its_argument_leaves_the_key() {
        assert_eq!(sample(1, true), 101, "nothing was stored before");
        assert!(!sample::contains(1, false));
        assert_eq!(sample(1, false), 102, "the bypass wrote nothing");
        assert_eq!(sample(1, true), 103, "the bypass reads nothing");
        assert_eq!(sample(1, false), 102);
        assert!(sample::contains(1, true) && sample::invalidate(1, true));
        let stats = sample::stats();
        assert_eq!((stats.bypasses, stats.misses, stats.hits()), (2, 1, 1));
    }

    #[test]
    fn an_expression_over_the_arguments() {
        #[cached(bypass = n > 10 || text.is_empty())]
        fn mixed(n: u32, text: &str) -> String {
            format!("{n}{text}")
        }
        for _ in 0..2 {
            assert_eq!(mixed(1, "a"), "1a");
            assert_eq!(mixed(11, "a"), "11a");
            assert_eq!(mixed(1, ""), "1");
        }
        assert_eq!((mixed::stats().bypasses, mixed::stats().loads), (4, 1));
    }
}

mod refresh {
    use super::*;

    #[test]
    fn loads_and_stores_and_its_argument_leaves_the_key() {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        #[cached(refresh = again)]
        fn sample(n: u32, again: bool) -> u32 {
            n * 100 + run(&RUNS)
        }
        assert_eq!(sample(1, false), 101);
        assert_eq!(sample(1, true), 102);
        assert_eq!(sample(1, false), 102);
        assert_eq!(sample(2, true), 203);
        assert_eq!(sample(2, false), 203);
        let stats = sample::stats();
        assert_eq!((stats.refreshes, stats.misses, stats.hits(), stats.loads), (2, 1, 2, 3));
    }

    #[test]
    fn bypass_wins_over_refresh() {
        #[cached(bypass = a, refresh = b)]
        fn sample(a: bool, b: bool) -> u32 {
            7
        }
        assert_eq!(sample(true, true), 7);
        assert!(!sample::contains(false, false));
        assert_eq!(sample::stats().bypasses, 1);
    }
}

mod arguments_that_steer {
    use super::*;

    #[test]
    fn stay_in_the_key_if_the_body_mentions_them() {
        #[cached(refresh = again)]
        fn mentioned(n: u32, again: bool) -> u32 {
            if again { n + 1 } else { n }
        }
        assert_eq!((mentioned(1, true), mentioned(1, false)), (2, 1));
        assert_eq!((mentioned(1, true), mentioned(1, false)), (2, 1));
    }

    #[test]
    fn stay_in_the_key_if_a_format_string_mentions_them() {
        #[cached(bypass = mode == 9)]
        fn formatted(mode: u32) -> String {
            format!("mode {mode:?}")
        }
        assert_eq!((formatted(1), formatted(2)), ("mode 1".into(), "mode 2".into()));
    }

    #[test]
    fn stay_in_the_key_if_a_format_string_mentions_them_in_disguise() {
        #[cached(bypass = r#type == 9)]
        fn raw(r#type: u32) -> String {
            format!("type {type}")
        }
        #[cached(bypass = mode == 9)]
        fn escaped(mode: u32) -> String {
            format!("mode {m\u{6f}de}")
        }
        assert_eq!((raw(1), raw(2)), ("type 1".into(), "type 2".into()));
        assert_eq!((escaped(1), escaped(2)), ("mode 1".into(), "mode 2".into()));
    }

    #[test]
    fn stay_in_the_key_if_a_macro_of_the_body_is_given_them() {
        macro_rules! twice {
            ($name:ident) => {
                $name * 2
            };
        }
        #[cached(bypass = mode == 9)]
        fn by_macro(mode: u32) -> u32 {
            twice!(mode)
        }
        assert_eq!((by_macro(1), by_macro(2)), (2, 4));
    }
}

mod single_flight {
    use super::*;

    #[test]
    fn off_means_that_callers_do_not_wait_for_each_other() {
        static BOTH_RUN: Barrier = Barrier::new(2);
        #[cached(single_flight = false)]
        fn alone(n: u32) -> u32 {
            BOTH_RUN.wait();
            n
        }
        thread::scope(|scope| {
            let callers = [scope.spawn(|| alone(1)), scope.spawn(|| alone(1))];
            assert!(callers.into_iter().all(|caller| caller.join().unwrap() == 1));
        });
        assert_eq!((alone::stats().loads, alone::stats().joins), (2, 0));
        assert_eq!(alone(1), 1, "it is stored all the same");
        assert_eq!(alone::stats().hits(), 1);
    }

    #[test]
    fn off_still_keeps_an_invalidated_load_out() {
        static INVALIDATED: AtomicBool = AtomicBool::new(false);
        #[cached(single_flight = false)]
        fn alone(n: u32) -> u32 {
            if !INVALIDATED.swap(true, SeqCst) {
                alone::invalidate(n);
            }
            n
        }
        assert_eq!(alone(1), 1);
        assert!(!alone::contains(1));
        assert_eq!(alone::stats().discarded, 1);
    }
}
