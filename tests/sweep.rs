//! Expired entries go also when nobody asks for them, and their memory with them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::unused_self,
    clippy::unused_async,
    clippy::trivially_copy_pass_by_ref,
    reason = "samples of what users write"
)]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::testing::MockClock;
use memokit::{CallInfo, Cause, cached};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

#[test]
fn what_has_expired_goes_without_a_call() {
    static VALUE: std::sync::LazyLock<Arc<()>> = std::sync::LazyLock::new(|| Arc::new(()));
    #[cached(timeout = 60)]
    fn sample(_n: u32) -> Arc<()> {
        Arc::clone(&VALUE)
    }
    let clock = MockClock::install();
    for n in 0..1_000 {
        sample(n);
    }
    assert_eq!(Arc::strong_count(&VALUE), 1_001);
    clock.sweep();
    assert_eq!(sample::stats().entries, 1_000, "they are fresh");
    clock.advance(Duration::from_secs(40));
    sample(1_000);
    clock.advance(Duration::from_secs(30));
    clock.sweep();
    assert_eq!((sample::stats().entries, Arc::strong_count(&VALUE)), (1, 2), "the last one has half a minute left");
    assert!(sample::contains(1_000));
    clock.advance(Duration::from_secs(30));
    clock.sweep();
    assert_eq!((sample::stats().entries, Arc::strong_count(&VALUE)), (0, 1));
}

#[test]
fn entries_of_several_timeouts_go_each_in_its_time() {
    #[cached(capacity = 100, timeout_with = |seconds| Some(Duration::from_secs(*seconds)))]
    fn sample(seconds: u64) -> u64 {
        seconds
    }
    #[cached]
    fn for_ever(n: u64) -> u64 {
        n
    }
    let clock = MockClock::install();
    for seconds in (1..=50).rev() {
        sample(seconds);
        for_ever(seconds);
    }
    for passed in 1..=50 {
        clock.advance(Duration::from_secs(1));
        clock.sweep();
        assert_eq!(sample::stats().entries, 50 - passed);
    }
    assert_eq!(for_ever::stats().entries, 50);
}

/// What a hook was told: its key, its value, and how old the entry was.
type Told<K, V> = Mutex<Vec<(K, V, Option<Cause>, Option<Duration>)>>;

#[test]
fn a_function_that_wants_to_hear_of_it_hears_of_it_without_a_call() {
    static TOLD: Told<(u32, String), u64> = Mutex::new(Vec::new());
    #[cached(timeout = 60, on_evict = |call, (n, text), value| {
        assert_eq!(call.function(), concat!(module_path!(), "::sample"));
        assert_eq!((call.time_to_expiry(), call.level()), (Some(Duration::ZERO), None));
        TOLD.lock().unwrap().push(((*n, text.clone()), *value, call.cause(), call.age()));
    })]
    fn sample(n: u32, text: &str) -> u64 {
        u64::from(n) + text.len() as u64
    }
    let clock = MockClock::install();
    sample(1, "a");
    clock.advance(Duration::from_secs(30));
    sample(2, "bc");
    clock.sweep();
    assert!(TOLD.lock().unwrap().is_empty(), "they are fresh");
    clock.advance(Duration::from_secs(40));
    clock.sweep();
    let told = std::mem::take(&mut *TOLD.lock().unwrap());
    assert_eq!(told, [((1, "a".into()), 2, Some(Cause::Expired), Some(Duration::from_secs(70)))]);
    assert_eq!((sample::stats().entries, sample::stats().hook_panics), (1, 0));
    clock.advance(Duration::from_secs(40));
    assert_eq!(sample(2, "bc"), 4);
    assert_eq!(TOLD.lock().unwrap().len(), 1, "the call that met it tells of it");
    clock.sweep();
    assert_eq!(TOLD.lock().unwrap().len(), 1, "and nobody else");
}

#[test]
fn of_thousands_each_is_told_once_and_their_memory_goes() {
    static VALUE: std::sync::LazyLock<Arc<()>> = std::sync::LazyLock::new(|| Arc::new(()));
    static TOLD: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    #[cached(timeout = 60, on_evict = |_, (n,)| TOLD.lock().unwrap().push(*n))]
    fn sample(_n: u32) -> Arc<()> {
        Arc::clone(&VALUE)
    }
    let clock = MockClock::install();
    (0..10_000).for_each(|n| drop(sample(n)));
    clock.advance(Duration::from_secs(61));
    clock.sweep();
    let mut told = std::mem::take(&mut *TOLD.lock().unwrap());
    told.sort_unstable();
    assert!(told.into_iter().eq(0..10_000));
    assert_eq!((sample::stats().entries, Arc::strong_count(&VALUE)), (0, 1));
}

#[test]
fn a_hook_that_panics_keeps_no_other_entry_from_going() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 60, on_evict = |_, (n,)| {
        TOLD.fetch_add(1, SeqCst);
        assert!(n % 2 == 0, "from a hook: this text belongs into the test's output");
    })]
    fn sample(n: u32) -> u32 {
        n
    }
    #[cached(timeout = 60)]
    fn other(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    for n in 0..10 {
        sample(n);
        other(n);
    }
    clock.advance(Duration::from_secs(61));
    clock.sweep();
    assert_eq!((TOLD.load(SeqCst), sample::stats().hook_panics), (10, 5));
    assert_eq!((sample::stats().entries, other::stats().entries), (0, 0));
}

#[test]
fn a_value_that_cannot_be_copied_for_its_hook_goes_all_the_same() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    static PANICS: AtomicBool = AtomicBool::new(false);
    struct Fragile(u32);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(!PANICS.load(SeqCst) || self.0 != 3, "from a value: this text belongs into the test's output");
            Fragile(self.0)
        }
    }
    #[cached(timeout = 60, on_evict = |_| _ = TOLD.fetch_add(1, SeqCst))]
    fn sample(n: u32) -> Fragile {
        Fragile(n)
    }
    let clock = MockClock::install();
    (0..10).for_each(|n| assert_eq!(sample(n).0, n));
    PANICS.store(true, SeqCst);
    clock.advance(Duration::from_secs(61));
    clock.sweep();
    let stats = sample::stats();
    assert_eq!((stats.entries, TOLD.load(SeqCst), stats.hook_panics), (0, 9, 1));
}

#[test]
fn a_hook_may_call_its_function_and_what_that_stores_expires_too() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 60, on_evict = |_, (n,)| {
        TOLD.fetch_add(1, SeqCst);
        assert!(!sample::contains(*n));
        if *n < 10 {
            assert_eq!(sample(*n + 10), *n + 10);
        }
    })]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    (0..10).for_each(|n| _ = sample(n));
    clock.advance(Duration::from_secs(61));
    clock.sweep();
    assert_eq!((sample::stats().entries, TOLD.load(SeqCst)), (10, 10));
    clock.advance(Duration::from_secs(61));
    clock.sweep();
    assert_eq!((sample::stats().entries, TOLD.load(SeqCst), sample::stats().hook_panics), (0, 20, 0));
}

mod kinds {
    //! Hooks of every kind of function that can have one.

    use super::*;
    use std::fmt::Debug;
    use std::hash::Hash;

    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn told(call: &CallInfo<'_>, (n,): (&u32,), value: &Vec<u32>) {
        TOLD.lock().unwrap().push(format!("{n} {value:?} {}", call.cause().unwrap()));
    }

    #[cached(timeout = 60, on_evict = told)]
    fn by_path(n: u32) -> Vec<u32> {
        vec![n]
    }

    #[cached(timeout = 60, on_evict = |_, (value,), same| TOLD.lock().unwrap().push(format!("{value:?} {same:?}")))]
    fn generic<T: Clone + Debug + Eq + Hash + Send + Sync + 'static>(value: T) -> T {
        value
    }

    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    struct Shop(u32);

    trait Prices {
        fn price(&self, article: &str) -> u64;
    }

    #[cached]
    impl Prices for Shop {
        #[cached(timeout = 60, on_evict = |_, (shop, article), price| {
            TOLD.lock().unwrap().push(format!("{} {article} {price}", shop.0));
        })]
        fn price(&self, article: &str) -> u64 {
            u64::from(self.0) + article.len() as u64
        }
    }

    impl Shop {
        #[cached(timeout = 60, ignore = loud, on_evict = |_, (shop, maybe)| TOLD.lock().unwrap().push(format!("{} {maybe:?}", shop.0)))]
        fn stock(&self, loud: bool, maybe: Option<&str>) -> usize {
            maybe.map_or(0, str::len) + usize::from(loud)
        }
    }

    #[cached(timeout = 60, weigh = |text: &String| text.len() as u64, max_weight = 100, on_evict = |_, _, text| TOLD.lock().unwrap().push(text.clone()))]
    fn weighed(n: usize) -> String {
        "x".repeat(n)
    }

    #[cached(timeout = 60, capacity = 100, evict = "cost", on_evict = |_, (n,)| TOLD.lock().unwrap().push(n.to_string()))]
    fn by_cost(n: u32) -> u32 {
        n
    }

    #[cached(timeout = 60, on_evict = |_, (n,), text| TOLD.lock().unwrap().push(format!("{n} {text}")))]
    async fn asynchronous(n: u32) -> String {
        n.to_string()
    }

    /// Calls of a function that has a hook go to other threads.
    fn sent<F: Send>(call: F) -> F {
        call
    }

    #[cached(cache = "default", timeout = 600, local_timeout = 60, on_evict = |call, (n,)| {
        assert!(call.key().is_none());
        TOLD.lock().unwrap().push(format!("copy of {n}"));
    })]
    fn shared(n: u32) -> u32 {
        n
    }

    #[cached(timeout = 60, cache_err = true, err_timeout = 30, on_evict = |_, (n,), result| {
        TOLD.lock().unwrap().push(format!("{n} {result:?}"));
    })]
    fn fallible(n: u32) -> Result<u32, String> {
        n.checked_sub(1).ok_or_else(|| "nothing".into())
    }

    #[test]
    fn are_told_of_what_expired() {
        let clock = MockClock::install();
        let swept = |seconds| {
            clock.advance(Duration::from_secs(seconds));
            clock.sweep();
            let mut told = std::mem::take(&mut *TOLD.lock().unwrap());
            told.sort();
            told
        };
        by_path(1);
        assert_eq!(swept(61), ["1 [1] expired"]);
        _ = (generic(1), generic("text".to_owned()));
        assert_eq!(swept(61), ["\"text\" \"text\"", "1 1"]);
        assert_eq!((Shop(4).price("tea"), Shop(5).stock(false, Some("ab"))), (7, 2));
        assert_eq!(swept(61), ["4 tea 7", "5 Some(\"ab\")"]);
        _ = (weighed(3), weighed(2), by_cost(7));
        assert_eq!(swept(61), ["7", "xx", "xxx"]);
        by_path::put(8, vec![9]);
        assert_eq!(by_path::refresh(2), [2]);
        assert_eq!(swept(61), ["2 [2] expired", "8 [9] expired"]);
        let mut call = pin!(sent(asynchronous(5)));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(swept(61), ["5 5"]);
        shared(6);
        assert_eq!(swept(61), ["copy of 6"]);
        _ = (fallible(0), fallible(2));
        assert_eq!(swept(31), ["0 Err(\"nothing\")"]);
        assert_eq!(swept(31), ["2 Ok(1)"]);
    }
}

#[test]
fn of_functions_that_share_entries_one_is_told() {
    static TOLD: Mutex<Vec<(&'static str, u32)>> = Mutex::new(Vec::new());
    #[cached(prefix = "sweep shares", timeout = 60, on_evict = |_, (n,)| TOLD.lock().unwrap().push(("first", *n)))]
    fn first(n: u32) -> u32 {
        n
    }
    #[cached(prefix = "sweep shares", timeout = 60, on_evict = |_, (n,)| TOLD.lock().unwrap().push(("second", *n)))]
    fn second(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!((first(1), second(1), second(2)), (1, 1, 2));
    clock.advance(Duration::from_secs(61));
    clock.sweep();
    let mut told = TOLD.lock().unwrap().clone();
    told.sort_unstable();
    assert_eq!(told, [("first", 1), ("first", 2)], "the one that missed first, of each once");
}
