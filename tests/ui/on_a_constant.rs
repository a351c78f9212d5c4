//! A constant is computed once already.
use memokit::cached;

#[cached]
const N: u32 = 5;

fn main() {}
