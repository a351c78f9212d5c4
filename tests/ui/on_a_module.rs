//! A module is not called.
use memokit::cached;

#[cached]
mod m {}

fn main() {}
