//! An argument that the body takes away is cloned for a hook that asks for it afterwards.
use memokit::{CallInfo, cached};

struct Handle(u32);

fn told(_: &CallInfo<'_>, (handle, n): (&Handle, &u32)) {
    println!("{} {n}", handle.0);
}

#[cached(ignore = handle, on_miss = told)]
fn f(handle: Handle, n: u32) -> u32 {
    handle.0 + n
}

#[cached(ignore = handle, on_error = |_, error, (handle, _)| println!("{error} {}", handle.0))]
fn g(handle: Handle, n: u32) -> Result<u32, String> {
    Ok(handle.0 + n)
}

fn main() {}
