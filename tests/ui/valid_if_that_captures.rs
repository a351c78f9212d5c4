//! A predicate on stored values is asked where there are no arguments.
use memokit::cached;

#[cached(valid_if = |found: &u32| *found >= least)]
fn f(n: u32, least: u32) -> u32 {
    n + least
}

fn main() {}
