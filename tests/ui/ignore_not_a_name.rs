//! Arguments are ignored by name.
use memokit::cached;

#[cached(ignore = 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
