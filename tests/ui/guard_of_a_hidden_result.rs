//! A `Result` under a name that does not show it: the return type can't be written for it.
use memokit::cached;

type Answer<T> = Result<T, String>;

#[cached(store_result = false)]
fn f(n: u32) -> Answer<u32> {
    Ok(n)
}

fn main() {}
