//! What one thread has for itself has no shared level, no other callers and no tasks.
use memokit::cached;

#[cached(scope = "process")]
fn unknown(n: u32) -> u32 {
    n
}

#[cached(scope = "thread", cache = "default")]
fn with_cache(n: u32) -> u32 {
    n
}

#[cached(scope = "thread", single_flight = false, prefix = "p", version = 2)]
fn with_others(n: u32) -> u32 {
    n
}

#[cached(scope = "thread", weigh = |_| 1, max_weight = 10)]
fn with_weights(n: u32) -> u32 {
    n
}

#[cached(scope = "thread")]
async fn task(n: u32) -> u32 {
    n
}

#[cached(scope = "thread", verify = 0.5, on_evict = |_| {}, cache_err = true, store_result = true)]
fn with_options(n: u32) -> Result<u32, u8> {
    Ok(n)
}

fn main() {}
