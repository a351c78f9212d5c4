//! An id without the traits of a key.
use memokit::cached;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64);

#[cached(each = ids)]
fn names(ids: &[Id]) -> BTreeMap<Id, String> {
    ids.iter().map(|id| (id.clone(), id.0.to_string())).collect()
}

fn main() {
    names(&[Id(1)]);
}
