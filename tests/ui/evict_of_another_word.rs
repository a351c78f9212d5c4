use memokit::cached;

#[cached(capacity = 10, evict = "lru")]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
