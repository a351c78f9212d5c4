//! What is stored has a type with a name.
use memokit::cached;

#[cached]
fn f(n: u32) -> Option<impl Fn() -> u32> {
    Some(move || n)
}

fn main() {}
