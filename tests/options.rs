//! What each option of the attribute does to the calls of one process.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::ptr_arg, reason = "a predicate takes the value as it is stored")]

use memokit::cached;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

mod timeout {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn from_settings() -> Duration {
        HOUR / 2
    }

    #[cached(timeout = 100)]
    fn seconds(n: u32) -> u32 {
        n
    }

    #[cached(timeout = 0.25)]
    fn fraction(n: u32) -> u32 {
        n
    }

    #[cached(timeout = "1h 30m")]
    fn text(n: u32) -> u32 {
        n
    }

    #[cached(timeout = HOUR * 2)]
    fn expression(n: u32) -> u32 {
        n
    }

    #[cached(timeout = from_settings())]
    fn call(n: u32) -> u32 {
        n
    }

    /// The times themselves are measured in `time.rs`, where the clock stands still.
    #[test]
    fn every_spelling_stores() {
        for _ in 0..2 {
            assert_eq!((seconds(1), fraction(1), text(1), expression(1), call(1)), (1, 1, 1, 1, 1));
        }
        let all = [seconds::stats(), fraction::stats(), text::stats(), expression::stats(), call::stats()];
        assert!(all.iter().all(|stats| stats.loads == 1 && stats.hits() == 1), "{all:?}");
    }
}

mod prefix {
    use super::*;

    #[cached(prefix = "options/square")]
    fn square(n: u32) -> u32 {
        n * n
    }

    #[cached(prefix = "options/square")]
    fn also_square(n: u32) -> u32 {
        unreachable!("{n} was stored through the other function")
    }

    #[cached(prefix = "options/square")]
    fn square_as_text(n: u32) -> String {
        format!("{n} squared")
    }

    #[cached(prefix = "options/square")]
    fn square_of_text(n: &str) -> u32 {
        n.len().try_into().unwrap()
    }

    #[test]
    fn functions_of_one_prefix_share_entries() {
        assert_eq!(square(3), 9);
        assert_eq!(also_square(3), 9);
        assert_eq!(also_square::stats().hits(), 1);
        assert!(also_square::invalidate(3));
        assert!(!square::contains(3));
        square::put(4, 16);
        assert_eq!(also_square(4), 16);
    }

    #[test]
    fn other_types_under_one_prefix_are_kept_apart() {
        square::put(5, 25);
        assert_eq!(square_as_text(5), "5 squared");
        assert_eq!(square_of_text("5"), 1);
        assert_eq!(square::peek(5), Some(25));
    }

    #[cached(prefix = "options/cleared")]
    fn filled(n: u32) -> u32 {
        n
    }

    #[cached(prefix = "options/cleared")]
    fn never_called(n: u32) -> u32 {
        n
    }

    #[test]
    fn invalidate_all_reaches_what_other_functions_of_the_prefix_stored() {
        assert_eq!(filled(1), 1);
        never_called::invalidate_all();
        assert!(!filled::contains(1));
        filled(1);
        never_called(2);
        filled::invalidate_all();
        assert!(!never_called::contains(1) && !never_called::contains(2));
    }

    #[cached(prefix = "options/nested")]
    fn outer(n: u32) -> u32 {
        inner(n) + 1
    }

    #[cached(prefix = "options/nested")]
    fn inner(n: u32) -> u32 {
        n * 10
    }

    #[test]
    fn a_function_may_call_another_of_its_prefix_with_the_same_arguments() {
        assert_eq!(outer(2), 21);
    }
}

#[test]
fn a_version_is_accepted() {
    const VERSION: u32 = 7;
    #[cached(version = 2)]
    fn second(n: u32) -> u32 {
        n
    }
    #[cached(version = VERSION)]
    fn named(n: u32) -> u32 {
        n
    }
    assert_eq!((second(1), second(1), named(1)), (1, 1, 1));
    assert_eq!(second::stats().hits(), 1);
}

mod ignore {
    use super::*;

    /// Has no bounds at all: an ignored argument needs none.
    struct Connection(u32);

    #[test]
    fn an_ignored_argument_is_not_part_of_the_key() {
        #[cached(ignore = connection)]
        fn load(connection: &Connection, id: u32) -> u32 {
            connection.0 * 100 + id
        }
        assert_eq!(load(&Connection(1), 5), 105);
        assert_eq!(load(&Connection(2), 5), 105);
        assert_eq!(load(&Connection(2), 6), 206);
        assert!(load::invalidate(&Connection(9), 5));
    }

    #[test]
    fn several_arguments_can_be_ignored() {
        #[cached(ignore = [connection, trace])]
        fn load(connection: Connection, id: u32, trace: &mut Vec<u32>) -> u32 {
            trace.push(id);
            connection.0 + id
        }
        let mut trace = Vec::new();
        assert_eq!(load(Connection(1), 5, &mut trace), 6);
        assert_eq!(load(Connection(2), 5, &mut trace), 6);
        assert_eq!(trace, [5]);
    }

    #[test]
    fn all_arguments_can_be_ignored() {
        #[cached(ignore = [a])]
        fn first(a: f64) -> f64 {
            a
        }
        assert_eq!([first(1.5), first(2.5)].map(f64::to_bits), [1.5_f64.to_bits(); 2]);
    }
}

mod key {
    use super::*;

    struct User {
        id: u64,
        name: String,
        /// What can't be hashed.
        score: f64,
    }

    fn user(id: u64, name: &str) -> User {
        User { id, name: name.to_owned(), score: 0.5 }
    }

    #[test]
    fn one_expression() {
        #[cached(key = user.id)]
        fn greet(user: &User) -> String {
            format!("{} {}", user.name, user.score)
        }
        assert_eq!(greet(&user(1, "Ann")), "Ann 0.5");
        assert_eq!(greet(&user(1, "Bob")), "Ann 0.5");
        assert_eq!(greet(&user(2, "Bob")), "Bob 0.5");
    }

    #[test]
    fn a_tuple_with_a_field_of_an_argument_that_moves_into_the_body() {
        #[cached(key = (user.id, page))]
        fn page_of(user: User, page: u32) -> String {
            let User { name, .. } = user;
            format!("{name} {page}")
        }
        assert_eq!(page_of(user(1, "Ann"), 1), "Ann 1");
        assert_eq!(page_of(user(1, "Bob"), 1), "Ann 1");
        assert_eq!(page_of(user(1, "Bob"), 2), "Bob 2");
        assert!(page_of::invalidate(user(1, ""), 2));
    }

    #[test]
    fn parts_may_borrow_from_the_arguments() {
        #[cached(key = (name, page))]
        fn borrowed(name: &str, page: u32, _noise: f64) -> String {
            format!("{name}{page}")
        }
        #[cached(key = (user.name.as_str(), &user.id))]
        fn field(user: &User) -> u64 {
            user.id
        }
        assert_eq!(borrowed("a", 1, 0.1), borrowed("a", 1, 0.2));
        assert_eq!(borrowed::stats().loads, 1);
        assert_eq!((field(&user(1, "a")), field(&user(1, "a"))), (1, 1));
        assert_eq!(field::stats().hits(), 1);
    }

    #[test]
    fn an_expression_that_makes_a_value() {
        #[cached(key = word.trim().to_lowercase())]
        fn length(word: &str) -> usize {
            word.trim().len()
        }
        assert_eq!((length("Tea"), length(" tea ")), (3, 3));
        assert_eq!(length::stats().loads, 1);
        assert!(length::contains("TEA"));
    }

    #[test]
    fn no_parts_at_all() {
        #[cached(key = ())]
        fn start(time: f64) -> String {
            format!("{time}")
        }
        assert_eq!((start(1.0), start(2.0)), ("1".into(), "1".into()));
    }
}

mod capacity {
    use super::*;

    const MANY: usize = 100;

    #[cached(capacity = 10)]
    fn ten(n: u64) -> u64 {
        n
    }

    #[cached(capacity = MANY * 2)]
    fn computed(n: u64) -> u64 {
        n
    }

    #[cached(capacity = 1)]
    fn one(n: u64) -> u64 {
        n
    }

    #[cached(capacity = usize::MIN)]
    fn zero_at_run_time(n: u64) -> u64 {
        n
    }

    #[test]
    fn bounds_the_entries() {
        for n in 0..1000 {
            assert_eq!((ten(n), computed(n)), (n, n));
            assert!(ten::stats().entries <= 10);
        }
        let stats = ten::stats();
        assert!(stats.entries > 5, "{stats:?}");
        assert_eq!(stats.evicted + stats.entries, 1000, "{stats:?}");
        assert!((101..=200).contains(&computed::stats().entries));
    }

    #[test]
    fn of_one_keeps_the_last_call() {
        for n in 0..10 {
            assert_eq!((one(n), one(n)), (n, n));
        }
        assert_eq!(one::stats().entries, 1);
    }

    #[test]
    fn of_zero_at_run_time_is_not_unbounded() {
        for n in 0..100 {
            zero_at_run_time(n);
        }
        assert!(zero_at_run_time::stats().entries <= 1, "{:?}", zero_at_run_time::stats());
    }
}

mod what_is_stored {
    use super::*;

    #[test]
    fn none_is_an_answer_unless_told_otherwise() {
        static RUNS: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
        #[cached]
        fn stored(n: u32) -> Option<u32> {
            run(&RUNS[0]);
            (n > 0).then_some(n)
        }
        #[cached(cache_none = false)]
        fn not_stored(n: u32) -> Option<u32> {
            run(&RUNS[1]);
            (n > 0).then_some(n)
        }
        for _ in 0..3 {
            assert_eq!((stored(0), not_stored(0)), (None, None));
            assert_eq!((stored(1), not_stored(1)), (Some(1), Some(1)));
        }
        assert_eq!((RUNS[0].load(SeqCst), RUNS[1].load(SeqCst)), (2, 4));
        assert!(stored::contains(0) && !not_stored::contains(0));
    }

    #[test]
    fn cache_none_looks_into_a_result() {
        #[cached(cache_none = false)]
        fn find(n: u32) -> Result<Option<u32>, String> {
            if n > 9 { Err("too much".into()) } else { Ok((n > 0).then_some(n)) }
        }
        assert_eq!((find(0), find(1), find(10)), (Ok(None), Ok(Some(1)), Err("too much".into())));
        assert!(!find::contains(0) && find::contains(1) && !find::contains(10));
    }

    #[test]
    fn cache_if_decides_by_the_value_and_its_type_is_inferred() {
        #[cached(cache_if = |v| v.len() > 3)]
        fn words(n: usize) -> Vec<usize> {
            (0..n).collect()
        }
        #[cached(cache_if = |found| found.is_some_and(|n| n > 3), cache_none = false)]
        fn both(n: u32) -> Option<u32> {
            (n > 0).then_some(n)
        }
        assert_eq!((words(3).len(), words(4).len()), (3, 4));
        assert!(!words::contains(3) && words::contains(4));
        assert_eq!((both(0), both(3), both(4)), (None, Some(3), Some(4)));
        assert!(!both::contains(0) && !both::contains(3) && both::contains(4));
    }

    fn is_long(text: &String) -> bool {
        text.len() > 3
    }

    #[test]
    fn cache_if_takes_a_path_and_sees_the_ok_of_a_result() {
        #[cached(cache_if = is_long)]
        fn checked(n: usize) -> Result<String, String> {
            Ok("a".repeat(n))
        }
        assert_eq!((checked(1), checked(4)), (Ok("a".into()), Ok("aaaa".into())));
        assert!(!checked::contains(1) && checked::contains(4));
    }
}

mod names {
    use super::*;

    /// Taken: a module of the function's name.
    mod taken {
        pub(super) const BASE: u32 = 40;
    }

    #[cached(companion = taken_cache)]
    fn taken(n: u32) -> u32 {
        taken::BASE + n
    }

    #[test]
    fn companion_renames_the_type_beside_the_function() {
        assert_eq!(taken(2), 42);
        assert_eq!(taken_cache::peek(2), Some(42));
        assert!(taken_cache::invalidate(2));
    }

    use memokit as kit;

    #[kit::cached(crate = kit, timeout = "1m")]
    fn renamed(n: u32) -> u32 {
        n + 1
    }

    #[test]
    fn crate_names_a_renamed_dependency() {
        assert_eq!((renamed(1), renamed(1)), (2, 2));
        assert_eq!(renamed::stats().hits(), 1);
    }
}
