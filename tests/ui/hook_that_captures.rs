//! A closure is given the arguments if it asks; it does not take them by name.
use memokit::cached;

#[cached(on_hit = |call| println!("{} {n}", call.function()))]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
