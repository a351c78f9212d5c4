//! Where a function's shared level is.

use super::cache::Cache;
use super::link::Linked;
use crate::{Error, registry};
use std::sync::Arc;

/// `cache = …`
#[derive(Clone, Copy)]
pub enum Source {
    /// A registered cache, looked up at every call that gets this far; and what `"default"` is until then.
    Named(&'static str, fn() -> Arc<dyn Cache>),
    /// An expression.
    Given(fn() -> Arc<dyn Cache>),
}

impl Source {
    /// The cache. `function` is named in the error.
    pub(crate) fn resolve(&self, function: &str) -> Result<Linked, Error> {
        match self {
            Source::Given(cache) => Ok(Linked::new(cache())),
            Source::Named(name, default) => registry::linked_or(name, *default).map_err(|error| {
                Error::new(error.kind(), format!("finding the cache `{name}` of the function `{function}`"))
                    .advise(format!("call `memokit::register(\"{name}\", …)` at the start of the program"))
            }),
        }
    }
}
