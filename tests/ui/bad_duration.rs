//! A span of time is seconds, a text, or an expression.
use memokit::cached;

#[cached(timeout = "1 fortnight")]
fn f(n: u32) -> u32 {
    n
}

#[cached(timeout = true)]
fn g(n: u32) -> u32 {
    n
}

#[cached(timeout = -5)]
fn h(n: u32) -> u32 {
    n
}

#[cached(timeout = 1e99)]
fn i(n: u32) -> u32 {
    n
}

fn main() {}
