//! What other caches call an option.
use memokit::cached;

#[cached(size = 5, ttl = 5, sync_writes = true, convert = n, unless = n > 5, cache_alias = "x")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
