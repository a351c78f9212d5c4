//! A local level that is bounded by what its entries weigh.
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::cached;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

#[allow(clippy::ptr_arg, reason = "it is given what is stored")]
fn bytes(text: &String) -> u64 {
    text.len() as u64
}

#[test]
fn entries_weigh_up_to_the_bound_together() {
    #[cached(weigh = bytes, max_weight = 1 << 10)]
    fn sample(n: usize) -> String {
        "x".repeat(n % 100 + 1)
    }
    for n in 0..2_000 {
        assert_eq!(sample(n).len(), n % 100 + 1);
        let stats = sample::stats();
        assert!(stats.weight <= 1 << 10, "{} after {n}", stats.weight);
    }
    let stats = sample::stats();
    let weight: usize = (0..2_000).filter_map(sample::peek).map(|text| text.len()).sum();
    assert_eq!(stats.weight, weight as u64);
    assert!(stats.weight > 800, "only {}: an entry weighs 100 at most", stats.weight);
    assert_eq!((stats.entries + stats.evicted, stats.too_heavy), (2_000, 0));
}

#[test]
fn light_entries_are_many_and_heavy_ones_few() {
    #[cached(weigh = |text| text.len() as u64, max_weight = 1_000)]
    fn light(n: u32) -> String {
        "x".repeat(if n == u32::MAX { 0 } else { 10 })
    }
    #[cached(weigh = |text: &String| text.len() as u64, max_weight = { 500_u64 * 2 })]
    fn heavy(n: u32) -> String {
        "x".repeat(if n == u32::MAX { 0 } else { 500 })
    }
    (0..1_000).for_each(|n| drop((light(n), heavy(n))));
    assert_eq!((light::stats().entries, heavy::stats().entries), (100, 2));
    assert_eq!((light::stats().weight, heavy::stats().weight), (1_000, 1_000));
}

#[test]
fn what_is_heavier_than_the_bound_is_not_stored_and_takes_the_older_value_with_it() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static SIZE: AtomicU32 = AtomicU32::new(0);
    #[cached(weigh = |list| list.len() as u64, max_weight = 10)]
    fn sample(n: u32) -> Vec<u32> {
        RUNS.fetch_add(1, SeqCst);
        vec![n; SIZE.load(SeqCst) as usize]
    }
    SIZE.store(10, SeqCst);
    assert_eq!(sample(1).len(), 10);
    assert!(sample::contains(1), "as heavy as all may be together");
    SIZE.store(11, SeqCst);
    assert_eq!((sample(2).len(), sample(2).len()), (11, 11), "the caller has it all the same");
    assert!(sample::contains(1) && !sample::contains(2));
    assert_eq!((RUNS.load(SeqCst), sample::stats().too_heavy, sample::stats().evicted), (3, 2, 0));
    assert_eq!(sample::refresh(1).len(), 11);
    assert!(!sample::contains(1), "the older value is old");
    let stats = sample::stats();
    assert_eq!((stats.entries, stats.weight, stats.too_heavy, stats.discarded), (0, 0, 3, 0));
}

#[test]
fn a_value_is_weighed_once_for_each_time_it_is_stored() {
    static WEIGHED: AtomicU64 = AtomicU64::new(0);
    #[cached(weigh = |_| WEIGHED.fetch_add(1, SeqCst) + 1, max_weight = 100)]
    fn sample(n: u32) -> u32 {
        n
    }
    assert_eq!((sample(1), sample(2), sample(1), sample(2)), (1, 2, 1, 2));
    assert_eq!((WEIGHED.load(SeqCst), sample::stats().weight), (2, 3));
    sample::put(1, 5);
    assert_eq!((WEIGHED.load(SeqCst), sample::stats().weight, sample(1)), (3, 5, 5));
    assert!(sample::invalidate(2));
    assert_eq!(sample::stats().weight, 3);
    sample::invalidate_all();
    assert_eq!((sample::stats().weight, sample::stats().entries), (0, 0));
}

#[test]
fn what_weighs_nothing_counts_as_one() {
    #[cached(weigh = |_| 0, max_weight = 5)]
    fn sample(n: u32) -> u32 {
        n
    }
    for n in 0..100 {
        sample(n);
    }
    assert_eq!((sample::stats().weight, sample::stats().entries, sample::stats().evicted), (5, 5, 95));
}

#[test]
fn a_weigher_sees_what_is_stored_and_may_call_the_function() {
    #[cached(weigh = |text: &String| text.len() as u64, max_weight = 10)]
    fn fallible(n: u32) -> Result<String, std::fmt::Error> {
        if n == 0 { Err(std::fmt::Error) } else { Ok("x".repeat(n as usize)) }
    }
    assert_eq!((fallible(0).is_err(), fallible(4).unwrap().len()), (true, 4));
    assert_eq!(fallible::stats().weight, 4);

    #[cached(weigh = |n| if *n > 1 { u64::from(nested(n - 1)) } else { 1 }, max_weight = 100)]
    fn nested(n: u32) -> u32 {
        n
    }
    assert_eq!(nested(4), 4);
    assert_eq!((nested::stats().weight, nested::stats().entries), (1 + 1 + 2 + 3, 4));
}

#[test]
fn a_weigher_that_panics_fails_no_call() {
    #[cached(weigh = |n| if *n == 13 { panic!("unlucky") } else { 1 }, max_weight = u64::MAX)]
    fn sample(n: u32) -> u32 {
        n
    }
    assert_eq!((sample(13), sample(14)), (13, 14));
    assert_eq!((sample::contains(13), sample::contains(14)), (false, true));
    assert_eq!((sample::stats().too_heavy, sample::stats().weight), (1, 1));
}

#[test]
fn generic_functions_and_methods_have_weights() {
    #[cached(weigh = |list| list.len() as u64, max_weight = 6)]
    fn repeated<T: Clone + Eq + std::hash::Hash + Send + Sync + 'static>(value: &T) -> Vec<T> {
        vec![value.clone(); 3]
    }
    (0..9_u8).for_each(|n| drop(repeated(&n)));
    ('a'..='z').for_each(|c| drop(repeated(&c)));
    assert_eq!((repeated::stats().entries, repeated::stats().weight), (4, 12), "each instantiation has a bound");

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Shop(String);
    impl Shop {
        #[cached(weigh = |text: &String| text.len() as u64, max_weight = 10)]
        fn label(&self, article: &str) -> String {
            format!("{}{article}", self.0)
        }
    }
    let shop = Shop("abc".into());
    assert_eq!(
        (shop.label("de"), shop.label("de"), shop.label("fg")),
        ("abcde".into(), "abcde".into(), "abcfg".into())
    );
    assert_eq!((Shop::label_stats().weight, Shop::label_stats().local_hits), (10, 1));
    assert!(shop.label_invalidate("de"));
    assert_eq!(shop.label_spawn("fg").wait(), "abcfg");
}

#[tokio::test]
async fn async_functions_have_weights() {
    #[cached(weigh = |text| text.len() as u64, max_weight = 10)]
    async fn sample(n: usize) -> String {
        tokio::task::yield_now().await;
        "x".repeat(n)
    }
    for n in [4, 6, 4, 6, 20] {
        assert_eq!(sample(n).await.len(), n);
    }
    let stats = sample::stats();
    assert_eq!((stats.weight, stats.local_hits, stats.too_heavy), (10, 2, 1));
}

#[test]
fn the_local_copies_of_shared_values_have_weights() {
    #[cached(cache = "default", weigh = |text| text.len() as u64, max_weight = 10)]
    fn sample(n: usize) -> String {
        "x".repeat(n)
    }
    #[cached(cache = "default", prefix = "weights::plain")]
    fn plain(n: usize) -> String {
        "x".repeat(n)
    }
    let text = |key: memokit::Key| key.to_string();
    assert_eq!(
        text(sample::key(7).unwrap()).rsplit(':').next(),
        text(plain::key(7).unwrap()).rsplit(':').next(),
        "a weight is no part of the key"
    );
    for n in [4, 6, 20, 20] {
        assert_eq!(sample(n).len(), n);
    }
    let stats = sample::stats();
    assert_eq!((stats.weight, stats.loads, stats.shared_hits, stats.too_heavy), (10, 3, 1, 2));
    assert!(sample::invalidate(20).unwrap());
}

#[test]
fn a_bound_of_zero_is_found_by_check() {
    mod zero {
        use memokit::cached;
        fn none() -> u64 {
            0
        }
        #[cached(weigh = |_| 1, max_weight = none())]
        pub(super) fn sample(n: u32) -> u32 {
            n
        }
    }
    assert_eq!(zero::sample(1), 1);
    let error = memokit::check().unwrap_err();
    assert!(error.to_string().contains("for its `max_weight` failed: it is zero"), "{error}");
}
