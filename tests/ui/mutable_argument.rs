//! What the call may change is no key.
use memokit::cached;

#[cached]
fn f(out: &mut Vec<u32>, n: u32) -> u32 {
    out.push(n);
    n
}

fn main() {}
