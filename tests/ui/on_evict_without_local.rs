//! Without a local level nothing leaves it.
use memokit::cached;

#[cached(cache = "default", local = false, on_evict = |call| println!("{}", call.function()))]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
