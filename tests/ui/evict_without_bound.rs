use memokit::cached;

#[cached(evict = "cost")]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
