//! The body is elsewhere.
use memokit::cached;

unsafe extern "C" {
    #[cached]
    safe fn f(n: u32) -> u32;
}

fn main() {}
