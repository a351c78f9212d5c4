//! What can't go to another thread can't be spawned, though it can be cached.
use memokit::cached;
use std::rc::Rc;

#[cached]
fn f(n: u32) -> Result<u32, Rc<str>> {
    Ok(n)
}

fn main() {
    let _ = f(1);
    let _ = f::spawn(1);
}
