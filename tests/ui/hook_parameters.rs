//! A hook has one to three parameters.
use memokit::cached;

#[cached(on_hit = || println!("hit"), on_miss = |call, (n,), value, time| println!("miss"))]
fn f(n: u32) -> u32 {
    n
}

#[cached(on_error = || println!("error"), on_evict = |call, (n,), value, cause| println!("gone"))]
fn g(n: u32) -> Result<u32, String> {
    Ok(n)
}

fn main() {}
