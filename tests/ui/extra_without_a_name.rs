//! What `extra` speaks of must be in reach of every companion: the arguments, and what stands around the function.
use memokit::cached;

#[cached(extra = (n, local))]
fn f(n: u32) -> u32 {
    let local = n + 1;
    local
}

fn main() {}
