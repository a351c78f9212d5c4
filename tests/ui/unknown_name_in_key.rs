//! A key is made of the arguments.
use memokit::cached;

#[cached(key = user.id)]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
