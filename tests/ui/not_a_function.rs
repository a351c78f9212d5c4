//! The attribute is for functions.
use memokit::cached;

#[cached]
struct Point {
    x: i32,
}

trait Shape {
    #[cached]
    fn area(&self) -> u32;
}

fn main() {
    let _ = Point { x: 1 }.x;
}
