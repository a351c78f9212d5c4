//! Only arguments can be ignored.
use memokit::cached;

#[cached(ignore = verbos)]
fn f(n: u32, verbose: bool) -> u32 {
    if verbose { n } else { n + 1 }
}

#[cached(ignore = [n, n, other])]
fn g(n: u32) -> u32 {
    n
}

#[cached(ignore = "n")]
fn h(n: u32) -> u32 {
    n
}

fn main() {}
