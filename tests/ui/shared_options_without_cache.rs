//! Options of the shared level need one.
use memokit::cached;

#[cached(codec = Json)]
fn f(n: u32) -> u32 {
    n
}

#[cached(local = false)]
fn g(n: u32) -> u32 {
    n
}

#[cached(local_timeout = 5)]
fn h(n: u32) -> u32 {
    n
}

fn main() {}
