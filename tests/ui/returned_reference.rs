//! A stored value outlives the call.
use memokit::cached;

#[cached]
fn f(text: &str) -> &str {
    text
}

#[cached]
fn g<'a>(texts: &'a [String]) -> Option<Vec<&'a str>> {
    Some(texts.iter().map(String::as_str).collect())
}

fn main() {}
