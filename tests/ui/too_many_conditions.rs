//! The expansion doubles with each.
use memokit::cached;

#[cached]
fn f(
    #[cfg(unix)] a: u32,
    #[cfg(windows)] b: u32,
    #[cfg(not(unix))] c: u32,
    #[cfg(not(windows))] d: u32,
    #[cfg(debug_assertions)] e: u32,
) -> u32 {
    1
}

fn main() {}
