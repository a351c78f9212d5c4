//! The companions of two impls of one trait need names of their own: `companion = …`.
use memokit::cached;

#[derive(Clone)]
struct S(u32);

#[cached]
impl From<u8> for S {
    #[cached]
    fn from(n: u8) -> S {
        S(n.into())
    }
}

#[cached]
impl From<u16> for S {
    #[cached]
    fn from(n: u16) -> S {
        S(n.into())
    }
}

fn main() {}
