use memokit::cached;

#[cached(capacity = 10, evict = "cost", cache = "default")]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
