//! An `unsafe fn` can't be cached yet.
use memokit::cached;

#[cached]
unsafe fn f(n: u32) -> u32 {
    n
}

fn main() {}
