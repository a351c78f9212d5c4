//! One attribute turns a Rust function into a cached one.
