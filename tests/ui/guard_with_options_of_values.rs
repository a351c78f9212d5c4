//! A guard stores that its body ran: there is no value to speak of.
use memokit::cached;

#[cached(store_result = false, cache_if = |n: &u32| *n > 0, valid_if = |n: &u32| *n > 0, single_flight = false)]
fn f(n: u32) -> u32 {
    n
}

#[cached(store_result = false, cache_err = true)]
fn g(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[cached(store_result = "no")]
fn h(n: u32) -> u32 {
    n
}

fn main() {}
