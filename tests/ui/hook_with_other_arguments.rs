//! A hook takes the call.
use memokit::cached;

#[cached(on_miss = |n: u32| drop(n))]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
