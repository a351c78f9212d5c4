//! A method has no companion type.
use memokit::cached;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Scale(u32);

impl Scale {
    #[cached(companion = Weigh)]
    fn weigh(&self, n: u32) -> u32 {
        self.0 * n
    }
}

fn main() {}
