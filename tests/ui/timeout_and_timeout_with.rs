//! Two options that both say how long a value is fresh.
use memokit::cached;

#[cached(timeout = 10, timeout_with = |n: &u32| Some(std::time::Duration::from_secs(u64::from(*n))))]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
