//! A computed timeout is a `Duration`.
use memokit::cached;

#[cached(timeout = 5 + 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
