//! All mistakes are reported at once, and the function is still there for its callers.
use memokit::cached;

#[cached(ttl = 0, timeout = 0, ignore = m, codec = Json)]
const fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
    let _: String = f(1);
}
