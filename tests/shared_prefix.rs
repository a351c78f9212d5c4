//! Functions that share a prefix, and functions that must not share anything.
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::cached;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[cached(cache = "default", prefix = "versions", version = 1)]
fn meters(n: u32) -> u32 {
    n
}

#[cached(cache = "default", prefix = "versions", version = 2)]
fn feet(n: u32) -> u32 {
    n * 3
}

#[test]
fn versions_are_kept_apart_at_both_levels() {
    assert_eq!((meters(1), feet(1)), (1, 3));
    assert_eq!((meters(1), feet(1)), (1, 3));
    assert_ne!(meters::key(1).unwrap(), feet::key(1).unwrap());
    assert!(meters::invalidate(1).unwrap());
    assert!(feet::contains(1).unwrap());
    meters(1);
    feet::invalidate_all().unwrap();
    assert!(meters::contains(1).unwrap() && !feet::contains(1).unwrap());
}

static SHOWN: AtomicU32 = AtomicU32::new(1);

#[cached(cache = "default", prefix = "shown")]
fn show(n: u32) -> u32 {
    n + SHOWN.load(SeqCst)
}

#[cached(cache = "default", prefix = "shown", local = false)]
fn show_exactly(n: u32) -> u32 {
    n + SHOWN.load(SeqCst)
}

#[test]
fn without_a_local_level_no_copy_of_another_function_is_used() {
    let cache = memokit::cache("default").unwrap();
    for (first, second) in [(show as fn(u32) -> u32, show_exactly as fn(u32) -> u32), (show_exactly, show)] {
        assert_eq!((first(1), second(1)), (2, 2));
        let hits = show::stats().local_hits;
        assert_eq!(show(1), 2);
        assert_eq!(show::stats().local_hits, hits + 1, "a function with a local level has one");
        assert!(cache.remove(show::key(1).unwrap().text()).unwrap());
        let loads = show_exactly::stats().loads;
        assert_eq!(show_exactly(1), 2);
        assert_eq!((show_exactly::stats().loads, show_exactly::stats().local_hits), (loads + 1, 0));
        // What one stores, and what one invalidates, the other sees.
        assert_eq!(show(1), 2);
        show_exactly::put(1, 7).unwrap();
        assert_eq!((show(1), show_exactly(1)), (7, 7));
        show::put(1, 8).unwrap();
        assert_eq!((show(1), show_exactly(1)), (8, 8));
        assert!(show_exactly::invalidate(1).unwrap());
        assert!(!show::contains(1).unwrap());
    }
}

#[cached(cache = "default", prefix = "cleared")]
fn used(n: u32) -> u32 {
    n
}

#[cached(cache = "default", prefix = "cleared")]
fn used_with_text(n: u32) -> String {
    n.to_string()
}

#[cached(cache = "default", prefix = "cleared")]
fn never_called(n: u32) -> u32 {
    n
}

#[test]
fn a_whole_prefix_is_invalidated_by_a_function_that_was_never_called() {
    used(1);
    never_called::invalidate_all().unwrap();
    assert!(!used::contains(1).unwrap(), "it shares its entries with `never_called`");
    used_with_text(1);
    never_called::invalidate_all().unwrap();
    assert!(!used_with_text::contains(1).unwrap(), "its shared entries are under the prefix too");
}

#[cached(cache = "default", prefix = "typed")]
fn number(n: u32) -> u64 {
    u64::from(n)
}

#[cached(cache = "default", prefix = "typed")]
fn text(n: u32) -> String {
    n.to_string()
}

#[cached(cache = "default", prefix = "typed", local = false)]
fn maybe(n: u32) -> Option<u64> {
    Some(u64::from(n) + 1)
}

#[test]
fn value_types_of_one_prefix_are_never_taken_for_each_other() {
    assert_eq!(number::key(1).unwrap(), text::key(1).unwrap());
    for n in [0, 1, 127, 128, 300, u32::MAX] {
        assert_eq!((number(n), text(n), maybe(n)), (u64::from(n), n.to_string(), Some(u64::from(n) + 1)));
        assert_eq!((number(n), text(n), maybe(n)), (u64::from(n), n.to_string(), Some(u64::from(n) + 1)));
    }
    assert_eq!((number::stats().rejected, text::stats().rejected, maybe::stats().rejected), (0, 6, 6));
}

#[cached(cache = "default", local = false)]
fn size<T: 'static, const N: usize>(n: u8) -> usize {
    std::mem::size_of::<T>() * N + usize::from(n)
}

struct Of<T>(std::marker::PhantomData<T>);

#[cached]
impl<T: 'static> Of<T> {
    #[cached(cache = "default", local = false)]
    fn size(n: u8) -> usize {
        std::mem::size_of::<T>() + usize::from(n)
    }
}

#[test]
fn instantiations_of_a_generic_function_share_nothing() {
    for _ in 0..2 {
        assert_eq!((size::<u8, 1>(0), size::<u8, 2>(0), size::<u64, 1>(0), size::<u64, 2>(0)), (1, 2, 8, 16));
        assert_eq!((Of::<u8>::size(0), Of::<u64>::size(0)), (1, 8));
    }
    assert_eq!((size::stats().loads, size::stats().shared_hits), (4, 4));
    size::put::<u8, 1>(0, 99).unwrap();
    assert_eq!((size::<u8, 1>(0), size::<u64, 1>(0)), (99, 8));
    assert!(size::invalidate::<u8, 1>(0).unwrap());
    assert!(size::contains::<u64, 1>(0).unwrap());
    assert_eq!(Of::<u8>::size_stats().loads, 2);
}

mod one {
    #[memokit::cached(cache = "default")]
    pub(super) fn twin(n: u32) -> u32 {
        n + 1
    }
}

mod other {
    #[memokit::cached(cache = "default")]
    pub(super) fn twin(n: u32) -> u32 {
        n + 2
    }
}

#[cached(cache = "default")]
fn pair(a: &str, b: &str) -> String {
    format!("{a}|{b}")
}

#[cached(cache = "default", prefix = "ab")]
fn short(n: u32) -> u32 {
    n
}

#[cached(cache = "default", prefix = "a")]
fn shorter(n: u32) -> u32 {
    n
}

#[cached(cache = "default", prefix = "a:0")]
fn like_a_version(n: u32) -> u32 {
    n
}

#[test]
fn different_calls_never_share_an_entry() {
    assert_eq!((one::twin(1), other::twin(1)), (2, 3));
    assert_ne!(one::twin::key(1).unwrap(), other::twin::key(1).unwrap());
    assert_eq!((pair("ab", "c"), pair("a", "bc")), ("ab|c".into(), "a|bc".into()));
    assert_ne!(pair::key("ab", "c").unwrap(), pair::key("a", "bc").unwrap());
    assert_eq!((short(1), shorter(1), like_a_version(1)), (1, 1, 1));
    shorter::invalidate_all().unwrap();
    assert!(!shorter::contains(1).unwrap());
    assert!(short::contains(1).unwrap() && like_a_version::contains(1).unwrap());
}

#[test]
fn a_key_has_a_text_that_says_where_it_belongs() {
    let key = meters::key(1).unwrap();
    let (prefix, digest) = key.text().rsplit_once(':').unwrap();
    assert_eq!(prefix, "memo:versions:1");
    assert!(digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(one::twin::key(1).unwrap().text().starts_with("memo:shared_prefix/one/twin:0:"));
    let cache = memokit::cache("default").unwrap();
    assert_eq!(cache.capabilities().name, "memory", "until another is registered");
    pair("x", "y");
    assert!(cache.get(pair::key("x", "y").unwrap().text()).unwrap().is_some());
}
