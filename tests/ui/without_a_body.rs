//! A declaration has nothing to run.
use memokit::cached;

trait T {
    #[cached]
    fn f(&self) -> u32;
}

fn main() {}
