//! All caches that values of this program may be in.

use super::link::{Link, Linked};
use crate::memo::Registered;
use crate::registry;

/// Each once: the registered ones, those of functions, called yet or not, and those that are in use otherwise. A name that
/// nobody registered stands for none.
pub(super) fn all() -> Vec<Linked> {
    let of_functions = inventory::iter::<Registered>.into_iter().filter_map(|Registered(function)| {
        let source = function.source.as_ref()?;
        source.resolve(function.name).ok()
    });
    let mut all: Vec<Linked> = of_functions.chain(registry::all()).chain(Link::all()).collect();
    all.sort_by_key(|linked| linked.id());
    all.dedup_by_key(|linked| linked.id());
    all
}
