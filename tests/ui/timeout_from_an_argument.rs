//! A timeout can't see the arguments.
use memokit::cached;

#[cached(timeout = std::time::Duration::from_secs(u64::from(n)))]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
