//! A stored value has a type with a name.
use memokit::cached;

#[cached]
fn f(n: u32) -> impl Iterator<Item = u32> {
    0..n
}

fn main() {}
