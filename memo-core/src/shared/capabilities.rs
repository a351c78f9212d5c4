//! What a backend can do.

#[cfg(doc)]
use super::cache::Cache;

/// What a backend can do, as data that tests and callers ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent yes or no that callers ask by name")]
pub struct Capabilities {
    /// The short name of the backend in messages: "memory", "file", "redis".
    pub name: &'static str,
    /// Entries are seen by other processes.
    pub shared: bool,
    /// Entries outlive the process.
    pub persistent: bool,
    /// [`Cache::scan`] and [`Cache::clear`] work.
    pub scan: bool,
    /// [`Cache::increment`] works and is atomic.
    pub increment: bool,
    /// [`Cache::touch`] works.
    pub touch: bool,
    /// [`Cache::invalidate`], [`Cache::store`], [`Cache::remove_if`] and [`Cache::touch_if`] are one step for each key, in
    /// which no other operation sees or changes it; and records are bounded.
    pub conditional: bool,
    /// [`Cache::subscribe`] and [`Cache::publish`] work, and each invalidation is published.
    pub bus: bool,
    /// The async twins do I/O of their own; without it they run the blocking operation in place.
    pub native_async: bool,
}

impl Capabilities {
    /// A backend of this name that can do nothing beyond the required operations.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Capabilities {
            name,
            shared: false,
            persistent: false,
            scan: false,
            increment: false,
            touch: false,
            conditional: false,
            bus: false,
            native_async: false,
        }
    }
}
