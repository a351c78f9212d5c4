//! A codec of ours, or a path.
use memokit::cached;

#[cached(cache = "default", codec = Yaml)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
