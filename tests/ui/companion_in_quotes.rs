//! A companion is a name.
use memokit::cached;

#[cached(companion = "cache")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
