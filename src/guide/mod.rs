//! One page a question.
//!
//! | page | |
//! |---|---|
//! | [`getting_started`] | from a slow function to a cached one, and which functions are fit for it |
//! | [`keys_and_arguments`] | which calls are the same call: references, `ignore`, `key`, generics, methods |
//! | [`invalidation`] | how values go, what holds during a load, and what holds across processes |
//! | [`shared_level`] | several processes: memory, file, Redis, codecs, failures, deploys |
//! | [`bucket`] | values under keys by hand |
//! | [`testing`] | the clock of tests, and a backend of one's own |
//!
//! The options and companions of the attribute are on the page of [`cached`](macro@crate::cached). The last three pages
//! have their text with the features they are about.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("keys_and_arguments.md")]
pub mod keys_and_arguments {}

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
