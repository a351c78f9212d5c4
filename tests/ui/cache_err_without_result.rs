//! Errors of a function that has none.
use memokit::cached;

#[cached(cache_err = true)]
fn f(n: u32) -> Option<u32> {
    Some(n)
}

#[cached(cache_err = |_| true)]
fn g(n: u32) {
    let _ = n;
}

#[cached(cache_err = true)]
fn h(n: u32) -> (u32, Result<u32, String>) {
    (n, Ok(n))
}

fn main() {}
