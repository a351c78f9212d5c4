//! What generated code calls. Not for use by hand: it changes without notice.

pub use crate::known::KnownArg;
pub use crate::lookup::{AnyArg, Arg};
pub use crate::memo::{
    Begun, Blocking, Function, Guard, Instance, Io, LocalOnly, Open, Operation, Registered, Started, Tasks,
    count_bypass, invalidate_all_local, operation, put, put_local, ready, refresh, start,
};
pub use crate::outcome::{AnyResult, AnyReturn, MaybeNone, Outcome, Returns, returned, value_of};
pub use inventory;

#[cfg(feature = "shared")]
pub use crate::lookup::shared_part;
#[cfg(feature = "shared")]
pub use crate::memo::invalidate_all;
#[cfg(feature = "shared")]
pub use crate::shared::{
    level::{SharedBy, key},
    source::Source,
};

/// Asks the closure of `cache_if`. The value comes first, so that the closure's argument has a type.
pub fn agrees<V>(value: &V, predicate: impl FnOnce(&V) -> bool) -> bool {
    predicate(value)
}
