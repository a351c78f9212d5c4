//! What is stored can't borrow.
use memokit::cached;

#[cached]
fn f(text: &str) -> Option<&str> {
    Some(text)
}

#[cached]
fn g(text: &str) -> Result<(u32, &str), String> {
    Ok((1, text))
}

fn main() {}
