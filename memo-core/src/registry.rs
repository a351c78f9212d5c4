//! Named caches: what `cache = "name"` means.

use crate::shared::cache::Cache;
use crate::{Error, ErrorKind};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

static CACHES: RwLock<Option<HashMap<String, Arc<dyn Cache>>>> = RwLock::new(None);

/// The name that stands for a cache in this process until another is registered under it.
pub const DEFAULT: &str = "default";

/// Registers a cache under a name, for `cache = "name"`. Returns the one it replaces.
///
/// For the start of a program: entries that the local levels hold from a replaced cache stay until they expire.
///
/// ```
/// # use memo_core as memokit;
/// # fn example(redis: std::sync::Arc<dyn memokit::Cache>) {
/// memokit::register("redis", redis);
/// # }
/// ```
pub fn register(name: impl Into<String>, cache: Arc<dyn Cache>) -> Option<Arc<dyn Cache>> {
    CACHES.write().get_or_insert_default().insert(name.into(), cache)
}

/// The cache of this name. `"default"`, if nobody registered one, is what `default` makes, once.
///
/// # Errors
/// [`ErrorKind::NotRegistered`] for any other name that nobody registered.
pub fn cache_or(name: &str, default: fn() -> Arc<dyn Cache>) -> Result<Arc<dyn Cache>, Error> {
    if let Some(cache) = CACHES.read().as_ref().and_then(|caches| caches.get(name)) {
        return Ok(Arc::clone(cache));
    }
    if name == DEFAULT {
        let mut caches = CACHES.write();
        return Ok(Arc::clone(caches.get_or_insert_default().entry(name.to_owned()).or_insert_with(default)));
    }
    Err(Error::new(ErrorKind::NotRegistered, format!("looking up the cache `{name}`"))
        .advise(format!("nobody registered it: call `memokit::register(\"{name}\", …)` at the start of the program")))
}
