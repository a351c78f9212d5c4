//! What four Python caches document, written as tests of this one: django-cache-memoize, the `Cache` of walrus, bucketcache
//! and Flask-Caching. Each test is named after a behaviour; where ours differs on purpose, its doc comment says so.
//!
//! The clock is the tests': a test whose entries have a timeout installs it, so that no other one moves it meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::unnecessary_wraps, clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref, reason = "samples of what users write")]

#[path = "../support/mod.rs"]
mod support;

mod bucketcache;
mod django_cache_memoize;
mod flask_caching;
mod walrus;

use memokit::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 15;
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How often a body ran.
struct Runs(AtomicU32);

impl Runs {
    const fn new() -> Self {
        Runs(AtomicU32::new(0))
    }

    /// Counts a run, and gives its number, from 1 on.
    fn up(&self) -> u32 {
        self.0.fetch_add(1, SeqCst) + 1
    }

    fn count(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

/// The cache that is registered under the name of its backend.
fn cache(name: &str) -> Arc<dyn Cache> {
    support::register(NUMBER);
    memokit::cache(name).unwrap()
}
