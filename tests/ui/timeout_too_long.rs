//! More than a `Duration` holds.
use memokit::cached;

#[cached(timeout = 1e30)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
