//! A codec is a path.
use memokit::cached;

#[cached(cache = "default", codec = "Json")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
