//! What other caches call an option is translated.
use memokit::cached;

#[cached(ttl = 10, max_size = 5, unless = true, namespace = "x", sync_writes = true)]
fn f(n: u32) -> u32 {
    n
}

fn main() {}
