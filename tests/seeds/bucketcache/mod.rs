//! bucketcache: `Bucket(path, backend, lifetime, …)`, a dictionary in files, and `@bucket(method, nocache, ignore)`.

mod container;
mod decorator;
mod deferred;
mod files;
mod keymakers;
mod lifetime;

use memokit::{Bucket, FileCache};
use std::path::Path;
use std::sync::Arc;

/// A bucket in a new folder.
fn bucket<V>(name: &str) -> Bucket<V> {
    in_folder(&crate::support::folder(&format!("bucketcache-{name}")))
}

/// A bucket in a folder.
fn in_folder<V>(folder: &Path) -> Bucket<V> {
    Bucket::new(Arc::new(FileCache::open(folder).unwrap()), "bucket")
}
