//! Mistakes in a block are reported for all of its functions.
use memokit::cached;

struct S(u32);

#[cached]
impl S {
    #[cached(timeout = 0)]
    fn f(&self) -> u32 {
        self.0
    }

    #[cached(ignore = m)]
    fn g(n: u32) -> u32 {
        n
    }

    fn h(&self) -> u32 {
        self.f() + S::g(1)
    }
}

fn main() {}
