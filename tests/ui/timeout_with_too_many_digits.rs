//! More than a number holds.
use memokit::cached;

#[cached(timeout = 99999999999999999999999999)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
