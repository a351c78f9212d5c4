//! Options are assigned, not called.
use memokit::cached;

#[cached(timeout(5), ignore(n))]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
