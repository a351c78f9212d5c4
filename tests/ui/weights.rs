//! A weight needs a bound, a bound by weight needs a weight, and there is one bound.
use memokit::cached;

#[cached(weigh = |text| text.len() as u64)]
fn no_bound(n: u32) -> String {
    n.to_string()
}

#[cached(max_weight = 100)]
fn no_weight(n: u32) -> String {
    n.to_string()
}

#[cached(capacity = 5, weigh = |text| text.len() as u64, max_weight = 100)]
fn two_bounds(n: u32) -> String {
    n.to_string()
}

#[cached(weigh = |text| text.len() as u64, max_weight = 0)]
fn zero(n: u32) -> String {
    n.to_string()
}

#[cached(cache = "default", local = false, weigh = |text| text.len() as u64, max_weight = 100)]
fn no_local_level(n: u32) -> String {
    n.to_string()
}

fn main() {}
