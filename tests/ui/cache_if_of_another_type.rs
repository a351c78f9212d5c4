//! A predicate is asked about the value.
use memokit::cached;

#[cached(cache_if = |value: &String| value.is_empty())]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
