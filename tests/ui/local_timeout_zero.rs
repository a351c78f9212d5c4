//! A copy that is never used.
use memokit::cached;

#[cached(cache = "default", local_timeout = 0)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
