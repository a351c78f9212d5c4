//! Several mistakes in one signature.
use memokit::cached;

struct S(u32);

impl S {
    #[cached(ttl = 5)]
    fn f(&mut self, list: &mut Vec<u32>) -> &u32 {
        list.push(self.0);
        &self.0
    }
}

fn used(s: &mut S) -> u32 {
    *s.f(&mut vec![])
}

fn main() {}
