//! The cached look-up: the one place of this program that knows of the cache.

use crate::elf::Facts;
use crate::name::Name;
use crate::store::Store;

/// The facts about a symbol file, or `None` if there is none of this name.
fn look_up(store: &Store, file: &str, build_id: &str) -> Option<Facts> {
    store.find(file, build_id)
}

/// Looks up without the cache.
pub(crate) fn uncached(store: &Store, name: &Name) -> Option<Facts> {
    look_up(store, name.file(), name.build_id())
}
