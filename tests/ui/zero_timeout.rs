//! A timeout of zero would store what is never served.
use memokit::cached;

#[cached(timeout = 0)]
fn f(n: u32) -> u32 {
    n
}

#[cached(timeout = "0s")]
fn g(n: u32) -> u32 {
    n
}

#[cached(cache = "default", timeout = 10, local_timeout = 0.0)]
fn h(n: u32) -> u32 {
    n
}

fn main() {}
