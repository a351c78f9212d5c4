//! The pattern of the arguments has as many parts as there are arguments.
use memokit::cached;

#[cached(on_hit = |_, (text, n, page)| println!("{text} {n} {page}"))]
fn f(text: &str, n: u32) -> u32 {
    n
}

fn main() {}
