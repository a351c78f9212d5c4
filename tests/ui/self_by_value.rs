//! What `self` is must be said.
use memokit::cached;

struct S(u32);

impl S {
    #[cached]
    fn f(self) -> u32 {
        self.0
    }

    #[cached]
    fn g(self: Self) -> u32 {
        self.0
    }
}

fn main() {}
