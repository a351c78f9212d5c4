//! A prefix is a text.
use memokit::cached;

#[cached(prefix = users)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
