//! What the call may change is no key.
use memokit::cached;

struct Counter(u32);

impl Counter {
    #[cached]
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    #[cached]
    fn last(self) -> u32 {
        self.0
    }
}

fn main() {}
