//! Return types: what of them is stored, and what followers of a failed load get.
#![allow(clippy::unused_unit, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::unnecessary_wraps, reason = "the return types are what is tested")]

use memokit::cached;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

/// An error that can't be copied, compared or printed.
struct Bare(u32);

type Fallible<T> = Result<T, Bare>;
type Failing<E> = Result<u32, E>;

mod deep {
    pub(super) mod alias {
        pub(in super::super) type Answer = Result<String, std::num::ParseIntError>;
    }
}

#[test]
fn a_plain_value() {
    #[cached]
    fn plain(n: u32) -> (u32, String) {
        (n, n.to_string())
    }
    assert_eq!((plain(1), plain(1)), ((1, "1".into()), (1, "1".into())));
    assert_eq!(plain::stats().hits(), 1);
}

#[test]
fn nothing_at_all() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn left_away(n: u32) {
        RUNS.fetch_add(n, SeqCst);
    }
    #[cached]
    fn spelled(n: u32) -> () {
        RUNS.fetch_add(n, SeqCst);
    }
    for _ in 0..2 {
        left_away(1);
        spelled(10);
    }
    assert_eq!(RUNS.load(SeqCst), 11);
    assert_eq!(left_away::peek(1), Some(()));
    left_away::put(2, ());
    assert!(left_away::contains(2));
}

#[test]
fn an_option_is_stored_whole() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn find(n: u32) -> Option<String> {
        run(&RUNS);
        (n > 0).then(|| n.to_string())
    }
    assert_eq!((find(0), find(0), find(1), find(1)), (None, None, Some("1".into()), Some("1".into())));
    assert_eq!(RUNS.load(SeqCst), 2);
    assert_eq!((find::peek(0), find::peek(9)), (Some(None), None));
}

#[test]
fn only_the_ok_of_a_result_is_stored() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
        run(&RUNS);
        text.parse()
    }
    assert_eq!((parse("1"), parse("1")), (Ok(1), Ok(1)));
    assert!(parse("x").is_err() && parse("x").is_err());
    assert_eq!(RUNS.load(SeqCst), 3);
    assert_eq!((parse::peek("1"), parse::peek("x")), (Some(1), None));
    assert_eq!((parse::stats().loads, parse::stats().load_errors), (3, 2));
}

#[test]
fn every_alias_of_result_is_known_for_what_it_is() {
    #[cached]
    fn of_io(n: u32) -> io::Result<u32> {
        if n == 0 { Err(io::ErrorKind::NotFound.into()) } else { Ok(n) }
    }
    #[cached]
    fn own(n: u32) -> Fallible<u32> {
        if n == 0 { Err(Bare(n)) } else { Ok(n) }
    }
    #[cached]
    fn by_error(n: u32) -> Failing<Bare> {
        if n == 0 { Err(Bare(n)) } else { Ok(n) }
    }
    #[cached]
    fn far(text: &str) -> deep::alias::Answer {
        text.parse::<u32>().map(|n| n.to_string())
    }
    #[cached]
    fn full(n: u32) -> ::core::result::Result<u32, Box<dyn std::error::Error>> {
        if n == 0 { Err("zero".into()) } else { Ok(n) }
    }
    for _ in 0..2 {
        assert!(of_io(0).is_err() && own(0).is_err_and(|Bare(n)| n == 0) && by_error(0).is_err());
        assert!(far("x").is_err() && full(0).is_err());
        assert!(of_io(1).is_ok() && own(1).is_ok() && by_error(1).is_ok() && far("1").is_ok() && full(1).is_ok());
    }
    for stats in [of_io::stats(), own::stats(), by_error::stats(), far::stats(), full::stats()] {
        assert_eq!((stats.loads, stats.load_errors, stats.hits(), stats.entries), (3, 2, 1, 1));
    }
    assert!(!of_io::contains(0) && !own::contains(0) && own::contains(1));
}

#[test]
fn a_result_inside_of_another_type_is_a_value() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn listed(n: u32) -> Vec<Result<u32, String>> {
        run(&RUNS);
        vec![Ok(n), Err(n.to_string())]
    }
    #[cached]
    fn nested(n: u32) -> Result<Result<u32, String>, String> {
        run(&RUNS);
        Ok(Err(n.to_string()))
    }
    assert_eq!((listed(1), listed(1)), (vec![Ok(1), Err("1".into())], vec![Ok(1), Err("1".into())]));
    assert_eq!((nested(1), nested(1)), (Ok(Err("1".into())), Ok(Err("1".into()))));
    assert_eq!(RUNS.load(SeqCst), 2);
}

#[test]
fn shared_and_static_values() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn shared(n: u32) -> Arc<Vec<u32>> {
        Arc::new(vec![n])
    }
    #[cached]
    fn text(n: u32) -> &'static str {
        run(&RUNS);
        if n == 0 { "zero" } else { "more" }
    }
    #[cached]
    fn cow(n: u32) -> Cow<'static, str> {
        if n == 0 { "zero".into() } else { n.to_string().into() }
    }
    #[cached]
    fn function(n: u32) -> Arc<dyn Fn(&str) -> String + Send + Sync> {
        Arc::new(move |text| format!("{text}{n}"))
    }
    #[cached]
    fn pointer(n: u32) -> fn(&str) -> &str {
        if n == 0 { str::trim } else { |text| &text[..1] }
    }
    assert!(Arc::ptr_eq(&shared(1), &shared(1)));
    assert_eq!((text(0), text(0), text(1), RUNS.load(SeqCst)), ("zero", "zero", "more", 2));
    assert_eq!((cow(0), cow(0), cow(1)), ("zero".into(), "zero".into(), "1".into()));
    assert_eq!(function(1)("a"), "a1");
    assert!(Arc::ptr_eq(&function(1), &function(1)));
    assert_eq!((pointer(0)(" a "), pointer(1)("abc")), ("a", "a"));
}

#[test]
fn put_and_peek_speak_of_the_ok_where_the_type_is_spelled_result() {
    #[cached]
    fn spelled(n: u32) -> Result<u32, Bare> {
        Ok(n)
    }
    #[cached]
    fn aliased(n: u32) -> deep::alias::Answer {
        Ok(n.to_string())
    }
    #[cached]
    fn of_io(n: u32) -> io::Result<u32> {
        Ok(n)
    }
    spelled::put(1, 10);
    of_io::put(1, 10);
    aliased::put(1, Ok("10".into()));
    aliased::put(2, "x".parse::<u32>().map(|n| n.to_string()));
    assert!(matches!((spelled(1), of_io(1), aliased(1)), (Ok(10), Ok(10), Ok(text)) if text == "10"));
    assert_eq!((spelled::peek(1), of_io::peek(1)), (Some(10), Some(10)));
    assert_eq!(aliased::peek(1), Some(Ok("10".into())));
    assert!(!aliased::contains(2), "an error is not stored");
    assert_eq!(spelled::stats().loads + of_io::stats().loads + aliased::stats().loads, 0);
}

#[test]
fn an_error_returns_through_the_question_mark() {
    #[cached]
    fn first(n: u32) -> Result<u32, String> {
        n.checked_sub(1).ok_or_else(|| "below zero".to_owned())
    }
    #[cached]
    fn second(n: u32) -> Result<u32, String> {
        let n = first(n)?;
        Ok(n * 2)
    }
    assert_eq!((second(0), second(3), second(3)), (Err("below zero".into()), Ok(4), Ok(4)));
    assert_eq!((first::stats().entries, second::stats().entries), (1, 1));
}

#[test]
fn a_generic_return_type_is_stored_by_what_it_turns_out_to_be() {
    fn is_small(n: u32) -> bool {
        n < 10
    }
    #[cached]
    fn both<T: Clone + Send + Sync + From<u8> + 'static>(n: u32) -> Result<T, String> {
        if is_small(n) { Ok(T::from(7)) } else { Err(n.to_string()) }
    }
    assert_eq!((both::<u8>(1), both::<u64>(1), both::<u8>(10)), (Ok(7), Ok(7), Err("10".into())));
    assert_eq!(both::stats().entries, 2);
}
