//! There is nothing to bound.
use memokit::cached;

#[cached(cache = "default", local = false, capacity = 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
