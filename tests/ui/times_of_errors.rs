//! How long errors are fresh, where none are stored; and where only values have a time.
use memokit::cached;

#[cached(timeout = 10, err_timeout = 5)]
fn f(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[cached(cache_err = false, err_timeout = 5)]
fn g(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[cached(cache_err = true, timeout_with = |n: &u32| Some(std::time::Duration::from_secs(u64::from(*n))))]
fn h(n: u32) -> Result<u32, String> {
    Ok(n)
}

#[cached(cache_err = "all")]
fn i(n: u32) -> Result<u32, String> {
    Ok(n)
}

fn main() {}
