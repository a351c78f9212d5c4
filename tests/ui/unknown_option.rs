//! A misspelled option is told from the right one.
use memokit::cached;

#[cached(timeuot = 10)]
fn f(n: u32) -> u32 {
    n
}

#[cached(colour = "red")]
fn g(n: u32) -> u32 {
    n
}

fn main() {}
