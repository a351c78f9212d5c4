//! Bounds of the local level need one.
use memokit::cached;

#[cached(cache = "default", local = false, capacity = 10, local_timeout = 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
