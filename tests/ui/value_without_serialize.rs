//! A value of the shared level is turned into bytes.
use memokit::cached;

#[derive(Clone)]
struct Answer(u32);

#[cached(cache = "default")]
fn f(n: u32) -> Answer {
    Answer(n)
}

fn main() {
    let _ = Answer(1).0;
}
