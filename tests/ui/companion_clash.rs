//! A module and a companion type can't share a name; `companion = …` gives it another.
use memokit::cached;

mod area {}

#[cached]
fn area(n: u32) -> u32 {
    n
}

fn main() {}
