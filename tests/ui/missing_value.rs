//! A name alone is no option.
use memokit::cached;

#[cached(timeout)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
