//! With which cache a run is made.

use crate::args::Options;
use crate::failure::Failure;
use memokit::{Cache, Error, FileCache, RedisCache};
use std::path::Path;
use std::sync::Arc;

/// The cache of a run, and its name in the table.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// None: every look-up runs.
    pub(crate) cache: Option<Arc<dyn Cache>>,
}

/// The runs the options ask for. Every cache is opened here, so that one out of reach is told at once.
pub(crate) fn all(options: &Options, work: &Path) -> Result<Vec<Mode>, Failure> {
    let mut modes = vec![Mode { name: "no cache", cache: None }];
    let file = FileCache::open(work.join("cache")).map_err(|error| failure("can't open a file cache", &error))?;
    modes.push(Mode { name: "memory + file", cache: Some(Arc::new(file)) });
    if let Some(url) = &options.cache {
        let redis = RedisCache::connect(url).map_err(|error| failure("can't use the Redis of --cache", &error))?;
        modes.push(Mode { name: "memory + Redis", cache: Some(Arc::new(redis)) });
    }
    Ok(modes)
}

/// The error with all its causes.
pub(crate) fn failure(what: &str, error: &Error) -> Failure {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        why.push_str(": ");
        why.push_str(&next.to_string());
        cause = next.source();
    }
    Failure::because(what, why)
}
