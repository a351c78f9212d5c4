//! What `self` is must be said.
use memokit::cached;

struct S(u32);

impl S {
    #[cached]
    fn f(self: &mut Self) -> u32 {
        self.0
    }
}

fn main() {}
