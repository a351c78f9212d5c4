//! A value needs the name of its option.
use memokit::cached;

#[cached("5m")]
fn f(n: u32) -> u32 {
    n
}

fn main() {
    let _: u32 = f(1);
}
