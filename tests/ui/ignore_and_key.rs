//! One of them says what the key is.
use memokit::cached;

#[cached(ignore = verbose, key = n)]
fn f(n: u32, verbose: bool) -> u32 {
    if verbose { n } else { n + 1 }
}

fn main() {}
