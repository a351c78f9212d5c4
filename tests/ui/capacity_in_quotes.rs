//! A capacity is a number.
use memokit::cached;

#[cached(capacity = "many")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
