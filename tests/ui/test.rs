//! A test is run for what it does.
use memokit::cached;

#[cached]
#[test]
fn works() {}

fn main() {}
