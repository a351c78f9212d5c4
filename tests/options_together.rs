//! Options of different kinds on one function.
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::testing::MockClock;
use memokit::{CallInfo, Cause, LocalState, NextCall, cached};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_is_too_much_by_weight_is_told_with_its_key_and_value() {
    static GONE: Mutex<Vec<(String, u32, usize)>> = Mutex::new(Vec::new());
    #[cached(
        weigh = |text| text.len() as u64,
        max_weight = 100,
        on_evict = |call, (name, n), text| {
            assert_eq!(call.cause(), Some(Cause::Evicted));
            GONE.lock().unwrap().push((name.clone(), *n, text.len()));
        }
    )]
    fn text(name: &str, n: u32) -> String {
        name.repeat(n as usize)
    }
    for n in 0..20 {
        text("ten letter", n % 5);
    }
    let (gone, stats) = (GONE.lock().unwrap().clone(), text::stats());
    assert_eq!(gone.len() as u64, stats.evicted);
    assert!(
        !gone.is_empty() && gone.iter().all(|(name, n, length)| name == "ten letter" && *length == 10 * *n as usize)
    );
}

#[test]
fn a_stored_error_weighs_one_and_is_refused_as_valid_values_are() {
    #[cached(weigh = |text| text.len() as u64, max_weight = 10, cache_err = true, valid_if = |text| !text.contains('x'))]
    fn checked(text: &str) -> Result<String, u8> {
        if text.is_empty() { Err(7) } else { Ok(text.to_owned()) }
    }
    assert_eq!((checked(""), checked("abc"), checked("x")), (Err(7), Ok("abc".into()), Ok("x".into())));
    assert_eq!(checked::stats().weight, 1 + 3 + 1);
    assert_eq!((checked(""), checked("abc"), checked("x")), (Err(7), Ok("abc".into()), Ok("x".into())));
    let stats = checked::stats();
    assert_eq!((stats.local_hits, stats.refused, stats.loads), (2, 1, 4));
}

#[test]
fn a_guard_can_be_spawned() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(store_result = false)]
    fn once(n: u32) -> u32 {
        RUNS.fetch_add(1, SeqCst);
        n
    }
    assert_eq!((once::spawn(4).wait(), once::spawn(4).wait()), (Some(4), None));
    assert_eq!(RUNS.load(SeqCst), 1);
}

#[test]
fn a_spawned_hit_is_told_and_checked_like_any_other() {
    static TOLD: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    #[cached(on_hit = |_, (n,)| TOLD.lock().unwrap().push(*n))]
    fn told(n: u32) -> u32 {
        n
    }
    static LOADS: AtomicU32 = AtomicU32::new(0);
    #[cached(valid_if = |n| *n > 1)]
    fn checked(n: u32) -> u32 {
        n + LOADS.fetch_add(1, SeqCst)
    }
    assert_eq!((told::spawn(3).wait(), told::spawn(3).wait()), (3, 3));
    assert_eq!(*TOLD.lock().unwrap(), [3]);
    assert_eq!((checked::spawn(1).wait(), checked::spawn(1).wait(), checked::spawn(1).wait()), (1, 2, 2));
}

mod in_one_thread {
    use super::*;

    #[test]
    fn hooks_are_told() {
        thread_local!(static TOLD: RefCell<Vec<String>> = RefCell::default());
        fn log(call: &CallInfo<'_>, (text,): (&str,), returned: &Result<Rc<str>, String>) {
            let line = format!("{} {text} {returned:?}", call.level().map_or("miss".into(), |level| level.to_string()));
            TOLD.with_borrow_mut(|told| told.push(line));
        }
        #[cached(
            scope = "thread",
            on_hit = log,
            on_miss = log,
            on_error = |_, error| TOLD.with_borrow_mut(|told| told.push(error.clone()))
        )]
        fn shared(text: &str) -> Result<Rc<str>, String> {
            if text.is_empty() { Err("empty".into()) } else { Ok(text.into()) }
        }
        drop((shared("a"), shared("a"), shared("")));
        let told = TOLD.take();
        assert_eq!(told, [r#"miss a Ok("a")"#, r#"local level a Ok("a")"#, r#"miss  Err("empty")"#, "empty"]);
    }

    #[test]
    fn values_have_a_time_of_their_own_and_may_be_refused() {
        #[cached(
            scope = "thread",
            timeout_with = |n| (**n > 0).then(|| SECOND * **n),
            valid_if = |n| **n != 5,
            extra = i32::from(true)
        )]
        fn number(n: u32) -> Rc<u32> {
            Rc::new(n)
        }
        let clock = MockClock::install();
        let loads = || (0..=5).map(|n| *number(n)).sum::<u32>() + 100 * u32::try_from(number::stats().loads).unwrap();
        assert_eq!(loads(), 15 + 600);
        assert_eq!(loads(), 15 + 800, "0 is not stored and 5 is not valid");
        assert_eq!((number::peek(4).as_deref(), number::peek(5)), (Some(&4), None));
        clock.advance(SECOND * 3);
        assert!(matches!(number::explain(2).local(), LocalState::Expired { .. }));
        assert_eq!(number::explain(4).next_call().to_string(), "is a hit in the local level");
        assert_eq!(number::explain(5).local(), LocalState::Refused { age: SECOND * 3 });
        assert_eq!(number::explain(0).next_call(), NextCall::Load);
        number::put(1, Rc::new(0));
        assert_eq!(number::peek(1), None, "it is not to be kept, and the one before is old");
    }

    #[test]
    fn another_timeout_counts_from_then_on() {
        #[cached(scope = "thread")]
        fn kept(n: u32) -> Rc<u32> {
            Rc::new(n)
        }
        let clock = MockClock::install();
        kept::set_timeout(SECOND).unwrap();
        kept(1);
        clock.advance(SECOND * 2);
        assert!(!kept::contains(1));
        kept(1);
        assert_eq!(kept::stats().loads, 2);
    }
}
