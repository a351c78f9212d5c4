//! A share of the hits is from none to all.
use memokit::cached;

#[cached(verify = 1.5)]
fn f(n: u32) -> u32 {
    n
}

#[cached(verify = -0.1)]
fn g(n: u32) -> u32 {
    n
}

#[cached(verify = 10)]
fn h(n: u32) -> u32 {
    n
}

#[cached(verify = true)]
fn i(n: u32) -> u32 {
    n
}

#[cached(verify = 0.1, store_result = false)]
fn j(n: u32) -> u32 {
    n
}

fn main() {}
