//! Companions need an `impl` of the type.
use memokit::cached;

trait T {
    fn f(&self) -> u32;
}

#[cached]
impl<X: Copy + Into<u32>> T for X {
    #[cached(key = (*self).into())]
    fn f(&self) -> u32 {
        (*self).into()
    }
}

fn main() {}
