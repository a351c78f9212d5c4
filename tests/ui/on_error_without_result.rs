//! Only a `Result` can be an error.
use memokit::cached;

#[cached(on_error = |call| println!("{}", call.function()))]
fn f(n: u32) -> Option<u32> {
    Some(n)
}

fn main() {}
