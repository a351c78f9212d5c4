//! Yes or no.
use memokit::cached;

#[cached(single_flight = 1)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
