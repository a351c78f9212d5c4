//! Arguments without types have no key.
use memokit::cached;

#[cached]
unsafe extern "C" fn f(n: u32, rest: ...) -> u32 {
    n
}

fn main() {}
