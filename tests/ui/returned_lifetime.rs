//! What is stored can't borrow.
use memokit::cached;

use std::borrow::Cow;

#[cached]
fn f(text: &str) -> Cow<'_, str> {
    text.into()
}

#[cached]
fn g<'a>(text: &'a str) -> Result<Box<dyn Fn() -> u32 + 'a>, String> {
    Ok(Box::new(move || text.len() as u32))
}

fn main() {}
