//! The keys of the map are the ids.
use memokit::cached;
use std::collections::HashMap;

#[cached(each = ids)]
fn names(ids: &[u64]) -> HashMap<String, u64> {
    ids.iter().map(|id| (id.to_string(), *id)).collect()
}

fn main() {}
