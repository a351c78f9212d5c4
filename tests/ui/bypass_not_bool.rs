//! A condition is yes or no.
use memokit::cached;

#[cached(bypass = n)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
