//! Named caches: what `cache = "name"` means.

use crate::shared::cache::Cache;
use crate::shared::link::Linked;
use crate::{Error, ErrorKind};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;

/// Asked at every call that gets to the shared level, hence the fast hasher.
type Caches = HashMap<String, Linked, RandomState>;

static CACHES: RwLock<Option<Caches>> = RwLock::new(None);

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
    let linked = Linked::new(cache);
    CACHES.write().get_or_insert_default().insert(name.into(), linked).map(|before| before.cache)
}

/// The cache of this name. `"default"`, if nobody registered one, is what `default` makes, once.
///
/// # Errors
/// [`ErrorKind::NotRegistered`] for any other name that nobody registered.
pub fn cache_or(name: &str, default: fn() -> Arc<dyn Cache>) -> Result<Arc<dyn Cache>, Error> {
    linked_or(name, default).map(|linked| linked.cache)
}

/// All that are registered.
pub(crate) fn all() -> Vec<Linked> {
    CACHES.read().iter().flat_map(HashMap::values).cloned().collect()
}

/// As [`cache_or`], with this process's link to the cache.
pub(crate) fn linked_or(name: &str, default: fn() -> Arc<dyn Cache>) -> Result<Linked, Error> {
    if let Some(linked) = CACHES.read().as_ref().and_then(|caches| caches.get(name)) {
        return Ok(linked.clone());
    }
    if name == DEFAULT {
        let mut caches = CACHES.write();
        let make = || Linked::new(default());
        return Ok(caches.get_or_insert_default().entry(name.to_owned()).or_insert_with(make).clone());
    }
    Err(Error::new(ErrorKind::NotRegistered, format!("looking up the cache `{name}`"))
        .advise(format!("nobody registered it: call `memokit::register(\"{name}\", …)` at the start of the program")))
}
