//! What the crate `cached` has options for needs none, or another one.
use memokit::cached;

#[cached(result = true)]
fn f(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[cached(option = true)]
fn g(n: u32) -> Option<u32> {
    Some(n)
}

fn main() {
    let _ = (f(1), g(1));
}
