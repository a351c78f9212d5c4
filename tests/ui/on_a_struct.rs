//! A type is not called.
use memokit::cached;

#[cached]
struct S(u32);

fn main() {}
