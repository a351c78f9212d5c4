//! `self` is an argument like any other, and so is what is behind a reference.
use memokit::cached;

struct Client {
    _socket: u32,
}

impl Client {
    #[cached]
    fn get(&self, path: &str) -> String {
        path.to_owned()
    }
}

fn main() {}
