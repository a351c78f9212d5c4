//! Companions need an `impl` of the type.
use memokit::cached;

trait T {
    fn f(&self) -> u32;
}

#[cached]
impl T for u32 {
    #[cached]
    fn f(&self) -> u32 {
        *self
    }
}

#[cached]
impl T for &str {
    #[cached]
    fn f(&self) -> u32 {
        1
    }
}

fn main() {}
