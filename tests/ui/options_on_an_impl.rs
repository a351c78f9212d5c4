//! Options are a function's, and a block needs a function.
use memokit::cached;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Scale(u32);

#[cached(timeout = 5)]
impl Scale {
    #[cached]
    fn weigh(&self, n: u32) -> u32 {
        self.0 * n
    }
}

#[cached]
impl Scale {
    fn empty() -> Self {
        Scale(0)
    }
}

#[cached]
impl std::fmt::Display for Scale {
    #[cached]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

fn main() {
    let _ = (Scale::empty().weigh(1), Scale(1).to_string());
}
