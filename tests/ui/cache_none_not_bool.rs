//! Yes or no.
use memokit::cached;

#[cached(cache_none = never)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
