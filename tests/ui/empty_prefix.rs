//! A prefix names something.
use memokit::cached;

#[cached(prefix = "")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
