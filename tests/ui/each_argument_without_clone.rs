//! The body may run again, so it takes nothing away.
use memokit::cached;
use std::collections::HashMap;

struct Connection;

#[cached(each = ids, ignore = connection)]
fn names(connection: Connection, ids: &[u64]) -> HashMap<u64, String> {
    drop(connection);
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

fn main() {}
