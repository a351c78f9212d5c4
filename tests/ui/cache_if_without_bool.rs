//! A predicate answers yes or no.
use memokit::cached;

#[cached(cache_if = |value: &u32| *value)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
