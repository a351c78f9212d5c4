//! There is no copy to trust.
use memokit::cached;

#[cached(cache = "default", local = false, local_timeout = 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
