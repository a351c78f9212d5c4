//! The `Cache` of walrus, on Redis: its dictionary, `@cached`, `@cached_property` and `@cache_async`.

mod background;
mod decorator;
mod dictionary;
mod off;
mod property;

use memokit::Bucket;

/// A cache of its own for each test.
fn cache<V>(name: &str) -> Bucket<V> {
    Bucket::new(crate::cache("redis"), &format!("walrus {name}"))
}
