//! `each` names an argument that holds ids.
use memokit::cached;
use std::collections::HashMap;

#[cached(each = idz)]
fn misspelled(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = "ids")]
fn quoted(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids, ignore = ids)]
fn ignored(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids)]
fn unnamed(ids: impl Iterator<Item = u64>) -> HashMap<u64, u64> {
    ids.map(|id| (id, id)).collect()
}

#[cached(each = ids)]
fn conditional(#[cfg(all())] ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(batch = ids)]
fn of_another_name(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

fn main() {}
