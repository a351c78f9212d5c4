//! A trait is not called.
use memokit::cached;

#[cached]
trait T {
    fn f(&self) -> u32;
}

fn main() {}
