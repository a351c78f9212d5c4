//! An option is given once.
use memokit::cached;

#[cached(timeout = 10, timeout = 20)]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
