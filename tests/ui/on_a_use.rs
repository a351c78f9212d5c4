//! A name is not called.
use memokit::cached;

#[cached]
pub use std::mem::drop;

fn main() {}
