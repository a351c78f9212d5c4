//! A function has no `self`.
use memokit::cached;

#[cached(ignore = self)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
