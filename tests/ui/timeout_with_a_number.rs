//! A time for each value is a closure over it.
use memokit::cached;

#[cached(timeout_with = |n: &u32| u64::from(*n))]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
