//! A hook that is a path is checked by its type.
use memokit::{CallInfo, cached};

fn other_arguments(_: &CallInfo<'_>, (_, _): (&str, &u64)) {}
fn not_a_tuple(_: &CallInfo<'_>, _: &str, _: &u32) {}
fn no_call(_: &str) {}
fn other_error(_: &CallInfo<'_>, _: &std::io::Error) {}

#[cached(on_hit = other_arguments)]
fn a(text: &str, n: u32) -> u32 {
    n
}

#[cached(on_miss = not_a_tuple)]
fn b(text: &str, n: u32) -> u32 {
    n
}

#[cached(on_evict = no_call)]
fn c(text: &str, n: u32) -> u32 {
    n
}

#[cached(on_error = other_error)]
fn d(text: &str, n: u32) -> Result<u32, String> {
    Ok(n)
}

fn main() {}
