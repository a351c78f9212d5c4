//! A cache is a name or an `Arc<dyn Cache>`.
use memokit::cached;

#[cached(cache = 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
