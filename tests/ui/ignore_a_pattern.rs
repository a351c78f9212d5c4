//! What a pattern binds is no argument.
use memokit::cached;

#[cached(ignore = a)]
fn f((a, b): (u32, u32), n: u32) -> u32 {
    a + b + n
}

fn main() {}
