//! A bucket with keys by a part takes no other keys.
use memokit::{Bucket, MemoryCache};
use std::sync::Arc;

struct User {
    id: u64,
}

fn main() {
    let bucket = Bucket::<u32>::new(Arc::new(MemoryCache::new()), "b").with_keys(|user: &User| user.id);
    let _ = bucket.get(&User { id: 1 });
    let _ = bucket.get(&1_u64);
}
