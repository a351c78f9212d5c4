//! A verified value is compared with what the body returns.
use memokit::cached;

#[derive(Clone)]
pub struct Answer(pub u32);

#[cached(verify = 0.5)]
fn f(n: u32) -> Answer {
    Answer(n)
}

fn main() {}
