//! A capacity of zero stores nothing.
use memokit::cached;

#[cached(capacity = 0)]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
