//! `cache_none` is about `None`.
use memokit::cached;

#[cached(cache_none = false)]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
