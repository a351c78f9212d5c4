//! A `const fn` depends on nothing that ran before.
use memokit::cached;

#[cached]
const fn f(n: u32) -> u32 {
    n
}

fn main() {}
