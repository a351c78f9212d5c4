//! The dependency under another name: every function says so with `crate = …`, and there is no `memokit` to fall back on.
#![deny(warnings, missing_docs, clippy::all)]
#![forbid(unsafe_code)]

use kit::cached;

/// Nothing that generated code must find here.
pub mod memokit {}

/// A free function.
#[cached(crate = kit, timeout = "1m", cache_none = false)]
pub fn half(n: u32) -> Option<u32> {
    n.is_multiple_of(2).then(|| n / 2)
}

/// Counts in dozens.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Dozen;

#[cached]
impl Dozen {
    /// An associated function.
    #[cached(crate = kit)]
    pub fn of(n: u32) -> u32 {
        n * 12
    }

    /// A method.
    #[cached(crate = kit)]
    pub fn and(&self, n: u32) -> u32 {
        n + 12
    }
}

#[cached(crate = ::kit, companion = Doubled)]
fn double<T: Clone + Eq + std::hash::Hash + Send + Sync + 'static>(value: T) -> (T, T) {
    (value.clone(), value)
}

fn main() -> Result<(), kit::Error> {
    kit::check()?;
    assert_eq!((half(4), half(4), half(3), half(3)), (Some(2), Some(2), None, None));
    assert_eq!((half::stats().loads, half::peek(3)), (3, None));
    assert!(half::invalidate(4));
    assert_eq!((Dozen::of(2), Dozen::of(2), Dozen::of_stats().hits()), (24, 24, 1));
    assert_eq!((Dozen.and(1), Dozen.and_peek(1)), (13, Some(13)));
    assert_eq!((double(1_u8), double("a".to_owned()).0), ((1, 1), "a".to_owned()));
    assert!(Doubled::contains(1_u8) && !Doubled::contains(1_u16));
    Ok(())
}
