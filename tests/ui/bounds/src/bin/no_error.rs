//! Errors of a function that has none, behind a name that could be one of a `Result`.
use memokit::cached;

type Answer = Option<u32>;

#[cached(cache_err = true)]
fn f(n: u32) -> Answer {
    Some(n)
}

fn main() {}
