//! A value is cloned for every caller.
use memokit::cached;

struct Answer(u32);

#[cached]
fn f(n: u32) -> Answer {
    Answer(n)
}

fn main() {
    let _ = Answer(1).0;
}
