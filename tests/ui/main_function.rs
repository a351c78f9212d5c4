//! `main` runs once.
use memokit::cached;

#[cached]
fn main() {}
