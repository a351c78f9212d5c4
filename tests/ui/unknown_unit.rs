//! Units of time.
use memokit::cached;

#[cached(timeout = "5 parsecs")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
