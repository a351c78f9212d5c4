use memokit::cached;

#[cached(capacity = 10, evict = "cost", store_result = false)]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
