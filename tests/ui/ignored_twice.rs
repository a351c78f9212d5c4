//! A name once.
use memokit::cached;

#[cached(ignore = [n, n])]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
