//! What a timeout can be.
use memokit::cached;

#[cached(timeout = true)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
