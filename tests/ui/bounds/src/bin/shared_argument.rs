//! An argument of the shared level is turned into bytes.
use memokit::cached;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Request(u32);

#[cached(cache = "default")]
fn f(n: u32, request: &Request) -> u32 {
    request.0 + n
}

fn main() {}
