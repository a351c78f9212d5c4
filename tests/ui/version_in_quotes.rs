//! A version is a number.
use memokit::cached;

#[cached(version = "2")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
