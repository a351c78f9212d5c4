//! Each option says what it takes.
use memokit::cached;

#[cached(prefix = "", local = 1, companion = "Name", codec = "Json", cache_none, single_flight(false), cache = "default")]
fn f(n: u32) -> Option<u32> {
    Some(n)
}

#[cached(prefix = 5)]
fn g(n: u32) -> u32 {
    n
}

#[cached(timeout = 5 capacity = 5)]
fn h(n: u32) -> u32 {
    n
}

fn main() {}
