//! A hook takes the call.
use memokit::cached;

#[cached(on_hit = 5)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
