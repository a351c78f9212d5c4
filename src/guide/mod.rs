//! One page a question.
//!
//! | page | |
//! |---|---|
//! | [`getting_started`] | from a slow function to a cached one, and which functions are fit for it |
//! | [`keys_and_arguments`] | which calls are the same call: references, `ignore`, `key`, generics, methods |
//! | [`bulk`] | many ids in one call: load those that are missing together |
//! | [`invalidation`] | how values go, what holds during a load, and what holds across processes |
//! | [`shared_level`] | several processes: memory, file, Redis, failures, secrets, large values, codecs, deploys |
//! | [`bucket`] | values under keys by hand |
//! | [`testing`] | the clock of tests, and a backend of one's own |
//! | [`from_cached`] | what to write here for what the crate `cached` has |
//! | [`from_django_cache_memoize`], [`from_walrus`], [`from_bucketcache`], [`from_flask_caching`] | the same for four caches of Python |
//!
//! The options and companions of the attribute are on the page of [`cached`](macro@crate::cached). Pages about features
//! have their text with these.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("keys_and_arguments.md")]
pub mod keys_and_arguments {}

#[doc = include_str!("bulk.md")]
pub mod bulk {}

#[doc = include_str!("invalidation.md")]
pub mod invalidation {}

#[cfg_attr(feature = "shared", doc = include_str!("shared_level.md"))]
#[cfg_attr(not(feature = "shared"), doc = "This page is there with the feature `shared`.")]
pub mod shared_level {}

#[cfg_attr(feature = "shared", doc = include_str!("bucket.md"))]
#[cfg_attr(not(feature = "shared"), doc = "This page is there with the feature `shared`.")]
pub mod bucket {}

#[cfg_attr(all(feature = "shared", feature = "testing"), doc = include_str!("testing.md"))]
#[cfg_attr(
    not(all(feature = "shared", feature = "testing")),
    doc = "This page is there with the features `testing` and `shared`."
)]
pub mod testing {}

#[cfg_attr(feature = "shared", doc = include_str!("from-cached.md"))]
#[cfg_attr(not(feature = "shared"), doc = "This page is there with the feature `shared`.")]
pub mod from_cached {}

#[cfg_attr(feature = "shared", doc = include_str!("from-django-cache-memoize.md"))]
#[cfg_attr(not(feature = "shared"), doc = "This page is there with the feature `shared`.")]
pub mod from_django_cache_memoize {}

#[cfg_attr(feature = "redis", doc = include_str!("from-walrus.md"))]
#[cfg_attr(not(feature = "redis"), doc = "This page is there with the feature `redis`.")]
pub mod from_walrus {}

#[cfg_attr(feature = "file", doc = include_str!("from-bucketcache.md"))]
#[cfg_attr(not(feature = "file"), doc = "This page is there with the feature `file`.")]
pub mod from_bucketcache {}

#[cfg_attr(feature = "shared", doc = include_str!("from-flask-caching.md"))]
#[cfg_attr(not(feature = "shared"), doc = "This page is there with the feature `shared`.")]
pub mod from_flask_caching {}
