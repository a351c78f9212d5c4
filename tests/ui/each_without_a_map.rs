//! What is asked for is a list, and what is returned is a map.
use memokit::cached;
use std::collections::HashMap;

#[cached(each = ids)]
fn names(ids: &[u64]) -> Vec<String> {
    ids.iter().map(u64::to_string).collect()
}

#[cached(each = ids)]
fn sum(ids: &[u64]) -> Result<u64, String> {
    Ok(ids.iter().sum())
}

#[cached(each = ids)]
fn nothing(ids: &[u64]) {
    drop(ids.to_vec());
}

#[cached(each = ids)]
fn letters(ids: &str) -> HashMap<char, u32> {
    ids.chars().map(|id| (id, id.into())).collect()
}

#[cached(each = id)]
fn one(id: u64) -> HashMap<u64, u64> {
    HashMap::from([(id, id)])
}

fn main() {}
