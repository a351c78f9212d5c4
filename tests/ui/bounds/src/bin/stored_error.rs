//! An error that is stored is returned by every hit.
use memokit::cached;

pub struct Failed;

#[cached(cache_err = true)]
fn f(n: u32) -> Result<u32, Failed> {
    if n > 0 { Ok(n) } else { Err(Failed) }
}

fn main() {}
