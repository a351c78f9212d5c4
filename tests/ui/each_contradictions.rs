//! Options that have no meaning for each of several ids.
use memokit::cached;
use std::collections::HashMap;

#[cached(each = ids, key = ids.len())]
fn one_key(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids, cache_err = true, err_timeout = 5)]
fn errors(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    Err(format!("{ids:?}"))
}

#[cached(each = ids, on_hit = |_| {}, on_miss = |_| {}, on_error = |_| {}, on_evict = |_| {})]
fn told(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    Err(format!("{ids:?}"))
}

#[cached(each = ids, verify = 0.1, scope = "thread")]
fn verified(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids, store_result = false)]
fn guarded(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids, extra = ids.len())]
fn counted(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids, tags = ["all", format!("{ids:?}"), ids.len().to_string()])]
fn tagged(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(each = ids, timeout_with = |_| None, cache_none = true)]
fn timed(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

#[cached(cache = "main", each = ids, single_flight = "fleet")]
fn in_turn(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::from([(ids[0], 1)])
}

fn main() {}
