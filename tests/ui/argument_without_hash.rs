//! A key is made of what can be hashed and compared.
use memokit::cached;

#[derive(Clone)]
struct Request {
    id: u32,
}

#[cached]
fn f(request: Request, n: u32) -> u32 {
    request.id + n
}

fn main() {}
